package local.switchboard.confluent;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.Map;
import org.apache.kafka.common.Configurable;
import org.apache.kafka.common.security.auth.AuthenticationContext;
import org.apache.kafka.common.security.auth.KafkaPrincipal;
import org.apache.kafka.common.security.auth.SaslAuthenticationContext;
import org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder;

/**
 * Whoever shows a token is the identity pool that takes it, as on Confluent Cloud, and whoever shows an API key its service
 * account; the key of the cluster's owner is itself.
 */
public final class SimulatedConfluentPrincipalBuilder extends DefaultKafkaPrincipalBuilder implements Configurable {
  private ApiKeys keys;

  public SimulatedConfluentPrincipalBuilder() {
    super(null, null);
  }

  @Override
  public void configure(Map<String, ?> configs) {
    keys = new ApiKeys(Path.of(String.valueOf(configs.get(ApiKeys.fileConfig))));
  }

  @Override
  public KafkaPrincipal build(AuthenticationContext context) {
    if (context instanceof SaslAuthenticationContext sasl) {
      if (sasl.server().getNegotiatedProperty(SimulatedConfluentLogin.identityPoolId) instanceof String pool)
        return new KafkaPrincipal(KafkaPrincipal.USER_TYPE, pool);
      if ("PLAIN".equals(sasl.server().getMechanismName())) {
        try {
          var owner = keys.ownerOf(sasl.server().getAuthorizationID());
          if (owner.isPresent()) return new KafkaPrincipal(KafkaPrincipal.USER_TYPE, owner.get());
        } catch (IOException e) {
          throw new UncheckedIOException(e);
        }
      }
    }
    return super.build(context);
  }
}
