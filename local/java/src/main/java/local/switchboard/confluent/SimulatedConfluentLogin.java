package local.switchboard.confluent;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import javax.security.auth.callback.Callback;
import javax.security.auth.callback.UnsupportedCallbackException;
import javax.security.auth.login.AppConfigurationEntry;
import org.apache.kafka.common.security.auth.AuthenticateCallbackHandler;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerExtensionsValidatorCallback;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallback;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Kafka's own check of a token by its signature, issuer, audience and end, and then what Confluent Cloud asks for besides:
 * the extension {@code logicalCluster} must be this cluster, and {@code identityPoolId} a pool whose filter takes the token.
 * Confluent Cloud finds the pools itself where none is named; this one does not.
 */
public final class SimulatedConfluentLogin implements AuthenticateCallbackHandler {
  /** {@code lkc-...} */
  public static final String clusterIdConfig = "simulated.confluent.cluster.id";

  /** Where the simulated control plane notes identity providers and pools. */
  public static final String poolsFileConfig = "simulated.confluent.pools.file";

  static final String logicalCluster = "logicalCluster";
  static final String identityPoolId = "identityPoolId";

  private static final Logger log = LoggerFactory.getLogger(SimulatedConfluentLogin.class);

  private final AuthenticateCallbackHandler tokens;
  private String clusterId;
  private IdentityPools pools;

  public SimulatedConfluentLogin() {
    this(new OAuthBearerValidatorCallbackHandler());
  }

  SimulatedConfluentLogin(AuthenticateCallbackHandler tokens) {
    this.tokens = tokens;
  }

  @Override
  public void configure(Map<String, ?> configs, String mechanism, List<AppConfigurationEntry> entries) {
    tokens.configure(configs, mechanism, entries);
    clusterId = String.valueOf(configs.get(clusterIdConfig));
    pools = new IdentityPools(Path.of(String.valueOf(configs.get(poolsFileConfig))));
  }

  @Override
  public void handle(Callback[] callbacks) throws IOException, UnsupportedCallbackException {
    for (Callback callback : callbacks) {
      if (callback instanceof OAuthBearerValidatorCallback) tokens.handle(new Callback[] {callback});
      else if (callback instanceof OAuthBearerExtensionsValidatorCallback extensions) validate(extensions);
      else throw new UnsupportedCallbackException(callback);
    }
  }

  private void validate(OAuthBearerExtensionsValidatorCallback callback) throws IOException {
    Map<String, String> sent = callback.inputExtensions().map();
    if (clusterId.equals(sent.get(logicalCluster))) callback.valid(logicalCluster);
    else refuse(callback, logicalCluster, "it is " + sent.get(logicalCluster) + ", and the cluster is " + clusterId);
    String pool = sent.getOrDefault(identityPoolId, "");
    if (pools.takes(pool, Claims.of(callback.token().value()))) callback.valid(identityPoolId);
    else refuse(callback, identityPoolId, "no pool " + pool + " takes the token");
  }

  private static void refuse(OAuthBearerExtensionsValidatorCallback callback, String name, String why) {
    log.info("refused the extension {}: {}", name, why);
    callback.error(name, why);
  }

  @Override
  public void close() {
    tokens.close();
  }
}
