package local.switchboard.msk;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import javax.security.auth.callback.Callback;
import javax.security.auth.callback.UnsupportedCallbackException;
import javax.security.auth.login.AppConfigurationEntry;
import org.apache.kafka.common.security.auth.AuthenticateCallbackHandler;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerExtensionsValidatorCallback;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallback;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Lets in whoever shows a {@code kafka-cluster:Connect} that was signed by a session that the emulator gave out and that
 * may connect to this cluster. The user is the ARN of the assumed role, its session name included; that it stays the same
 * when a connection authenticates again is Kafka's own rule.
 */
public final class SimulatedMskLogin implements AuthenticateCallbackHandler {
  /** Where the launcher of the emulator notes sessions. */
  public static final String sessionsFileConfig = "simulated.msk.sessions.file";

  /** The cluster as IAM knows it. */
  public static final String clusterArnConfig = "simulated.msk.cluster.arn";

  private static final Logger log = LoggerFactory.getLogger(SimulatedMskLogin.class);

  /** As far ahead as AWS lets a signer's clock be. */
  private static final Duration clockSkew = Duration.ofMinutes(5);

  private final Clock clock;
  private SimulatedSessions sessions;
  private ClusterArn cluster;

  public SimulatedMskLogin() {
    this(Clock.systemUTC());
  }

  SimulatedMskLogin(Clock clock) {
    this.clock = clock;
  }

  @Override
  public void configure(Map<String, ?> configs, String mechanism, List<AppConfigurationEntry> entries) {
    sessions = new SimulatedSessions(Path.of(String.valueOf(configs.get(sessionsFileConfig))));
    cluster = ClusterArn.parse(String.valueOf(configs.get(clusterArnConfig)));
  }

  @Override
  public void handle(Callback[] callbacks) throws IOException, UnsupportedCallbackException {
    for (Callback callback : callbacks) {
      if (callback instanceof OAuthBearerValidatorCallback validator) validate(validator);
      // MSK reads no extensions: none of them is valid, and none is an error
      else if (!(callback instanceof OAuthBearerExtensionsValidatorCallback)) throw new UnsupportedCallbackException(callback);
    }
  }

  private void validate(OAuthBearerValidatorCallback callback) throws IOException {
    try {
      callback.token(check(callback.tokenValue(), clock.instant()));
    } catch (RefusedToken refused) {
      log.info("refused a token: {}", refused.getMessage());
      callback.error("invalid_token", null, null);
    }
  }

  private SimulatedMskToken check(String token, Instant now) throws RefusedToken, IOException {
    PresignedConnect connect = PresignedConnect.parse(token, cluster.region());
    SimulatedSession session =
        sessions.find(connect.accessKeyId()).orElseThrow(() -> new RefusedToken("its access key is of no session"));
    if (!connect.isSignedWith(session.secretAccessKey()) || !session.sessionToken().equals(connect.securityToken()))
      throw new RefusedToken("its signature is not that of its session");
    if (connect.signedAt().isAfter(now.plus(clockSkew))) throw new RefusedToken("it is signed in the future");
    Instant end = connect.end().isBefore(session.end()) ? connect.end() : session.end();
    if (!now.isBefore(end)) throw new RefusedToken("it ended at " + end);
    if (!session.allows("kafka-cluster:Connect", cluster.text()))
      throw new RefusedToken(session + " may not connect to " + cluster.text());
    return new SimulatedMskToken(token, connect.signedAt().toEpochMilli(), end.toEpochMilli(), session);
  }

  @Override
  public void close() {}
}
