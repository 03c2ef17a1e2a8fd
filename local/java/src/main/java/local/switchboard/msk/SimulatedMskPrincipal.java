package local.switchboard.msk;

import org.apache.kafka.common.security.auth.KafkaPrincipal;

/** Equal when the ARNs are; two sessions of one name can have policies of their own. */
final class SimulatedMskPrincipal extends KafkaPrincipal {
  private final SimulatedSession session;

  SimulatedMskPrincipal(SimulatedSession session) {
    super(USER_TYPE, session.arn());
    this.session = session;
  }

  SimulatedSession session() {
    return session;
  }
}
