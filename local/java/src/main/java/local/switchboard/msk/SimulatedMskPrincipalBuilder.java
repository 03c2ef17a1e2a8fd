package local.switchboard.msk;

import org.apache.kafka.common.security.auth.AuthenticationContext;
import org.apache.kafka.common.security.auth.KafkaPrincipal;
import org.apache.kafka.common.security.auth.KafkaPrincipalBuilder;
import org.apache.kafka.common.security.auth.SaslAuthenticationContext;
import org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule;

/** Keeps the session of a login with its connection, for the authorizer. */
public final class SimulatedMskPrincipalBuilder implements KafkaPrincipalBuilder {
  private static final String token = OAuthBearerLoginModule.OAUTHBEARER_MECHANISM + ".token";

  private final KafkaPrincipalBuilder plain = new DefaultKafkaPrincipalBuilder(null, null);

  @Override
  public KafkaPrincipal build(AuthenticationContext context) {
    if (context instanceof SaslAuthenticationContext sasl
        && sasl.server().getNegotiatedProperty(token) instanceof SimulatedMskToken checked)
      return new SimulatedMskPrincipal(checked.session());
    return plain.build(context);
  }

  // What is forwarded to the controller has no session with it, and nobody there who is only an ARN may do anything.
  @Override
  public byte[] serialize(KafkaPrincipal principal) {
    return plain.serialize(principal);
  }

  @Override
  public KafkaPrincipal deserialize(byte[] bytes) {
    return plain.deserialize(bytes);
  }
}
