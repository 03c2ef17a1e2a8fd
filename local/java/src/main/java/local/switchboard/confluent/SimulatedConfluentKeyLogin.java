package local.switchboard.confluent;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import javax.security.auth.callback.Callback;
import javax.security.auth.callback.NameCallback;
import javax.security.auth.callback.UnsupportedCallbackException;
import javax.security.auth.login.AppConfigurationEntry;
import org.apache.kafka.common.security.auth.AuthenticateCallbackHandler;
import org.apache.kafka.common.security.plain.PlainAuthenticateCallback;
import org.apache.kafka.common.security.plain.internals.PlainServerCallbackHandler;

/** SASL/PLAIN with the API keys of service accounts, and with those that the listener itself has, such as its owner's. */
public final class SimulatedConfluentKeyLogin implements AuthenticateCallbackHandler {
  private final AuthenticateCallbackHandler ofListener = new PlainServerCallbackHandler();
  private ApiKeys keys;

  @Override
  public void configure(Map<String, ?> configs, String mechanism, List<AppConfigurationEntry> entries) {
    ofListener.configure(configs, mechanism, entries);
    keys = new ApiKeys(Path.of(String.valueOf(configs.get(ApiKeys.fileConfig))));
  }

  @Override
  public void handle(Callback[] callbacks) throws IOException, UnsupportedCallbackException {
    String id = null;
    for (Callback callback : callbacks) {
      if (callback instanceof NameCallback name) id = name.getDefaultName();
      else if (callback instanceof PlainAuthenticateCallback plain && id != null) {
        Optional<ApiKeys.Key> key = keys.find(id, System.currentTimeMillis());
        if (key.isEmpty()) {
          ofListener.handle(callbacks);
          return;
        }
        plain.authenticated(isSame(key.get().secret(), new String(plain.password())));
      } else throw new UnsupportedCallbackException(callback);
    }
  }

  private static boolean isSame(String expected, String given) {
    return MessageDigest.isEqual(
        expected.getBytes(StandardCharsets.UTF_8), given.getBytes(StandardCharsets.UTF_8));
  }

  @Override
  public void close() {
    ofListener.close();
  }
}
