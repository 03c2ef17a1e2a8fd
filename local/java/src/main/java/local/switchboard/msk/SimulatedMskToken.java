package local.switchboard.msk;

import java.util.Set;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerToken;

/** A token that was checked: whose it is, and when the client has to show another. */
record SimulatedMskToken(String value, long startMs, long lifetimeMs, SimulatedSession session) implements OAuthBearerToken {
  @Override
  public Set<String> scope() {
    return Set.of();
  }

  @Override
  public Long startTimeMs() {
    return startMs;
  }

  @Override
  public String principalName() {
    return session.arn();
  }

  @Override
  public String toString() {
    return "token of " + session;
  }
}
