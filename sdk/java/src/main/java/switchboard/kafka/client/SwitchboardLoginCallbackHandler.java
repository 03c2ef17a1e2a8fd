package switchboard.kafka.client;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import javax.security.auth.callback.Callback;
import javax.security.auth.callback.UnsupportedCallbackException;
import javax.security.auth.login.AppConfigurationEntry;
import org.apache.kafka.common.config.ConfigException;
import org.apache.kafka.common.security.auth.AuthenticateCallbackHandler;
import org.apache.kafka.common.security.auth.SaslExtensions;
import org.apache.kafka.common.security.auth.SaslExtensionsCallback;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerTokenCallback;

/**
 * Gets the tokens of a Java Kafka client from Switchboard, for clusters whose tokens Kafka's own handler cannot read: those
 * of Amazon MSK that IAM lets in. Kafka asks for the next one when four fifths of a token's life are over.
 *
 * <pre>
 * security.protocol=SASL_SSL
 * sasl.mechanism=OAUTHBEARER
 * sasl.login.callback.handler.class=switchboard.kafka.client.SwitchboardLoginCallbackHandler
 * sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required \
 *   url="https://switchboard.acme.com" tokenFile="/var/run/secrets/tokens/switchboard" \
 *   produce="kafka://payments.acme.com/orders/created";
 * </pre>
 *
 * <p>Options: {@code url}, {@code tokenFile} (the workload's own OIDC token, read again for each request), {@code produce} and
 * {@code consume} (channels, with commas between them; at least one), and, as in an intent, {@code group}, {@code network},
 * {@code instance} (default: random, one per process), {@code cluster} (needed when the channels are on several).
 */
public final class SwitchboardLoginCallbackHandler implements AuthenticateCallbackHandler {
  /** As long as a client may wait for its first connection while Switchboard makes the access. */
  private static final Duration patience = Duration.ofSeconds(60);

  private Resolve resolve;
  private Map<String, String> extensions = Map.of();

  @Override
  public void configure(Map<String, ?> configs, String mechanism, List<AppConfigurationEntry> entries) {
    if (!"OAUTHBEARER".equals(mechanism)) throw new ConfigException("`sasl.mechanism` is `" + mechanism + "`; expected `OAUTHBEARER`");
    if (entries.size() != 1) throw new ConfigException("`sasl.jaas.config` has " + entries.size() + " login modules; expected one");
    resolve = new Resolve(LoginOptions.parse(entries.get(0).getOptions()));
  }

  @Override
  public void handle(Callback[] callbacks) throws IOException, UnsupportedCallbackException {
    for (Callback callback : callbacks) {
      if (callback instanceof OAuthBearerTokenCallback tokens) {
        Resolve.Login login = askPatiently();
        tokens.token(login.token());
        extensions = login.extensions();
      } else if (callback instanceof SaslExtensionsCallback asked) {
        // Kafka asks for these right after the token
        asked.extensions(new SaslExtensions(extensions));
      } else throw new UnsupportedCallbackException(callback);
    }
  }

  private Resolve.Login askPatiently() throws IOException {
    long end = System.nanoTime() + patience.toNanos();
    while (true) {
      try {
        return resolve.ask();
      } catch (SwitchboardException refused) {
        Duration wait = refused.retryAfter().orElse(Duration.ofSeconds(1));
        if (!refused.isRetryable() || System.nanoTime() + wait.toNanos() > end) throw refused;
        sleep(wait, refused);
      }
    }
  }

  private static void sleep(Duration wait, SwitchboardException reason) throws SwitchboardException {
    try {
      Thread.sleep(wait.toMillis());
    } catch (InterruptedException error) {
      Thread.currentThread().interrupt();
      throw reason;
    }
  }

  @Override
  public void close() {}
}
