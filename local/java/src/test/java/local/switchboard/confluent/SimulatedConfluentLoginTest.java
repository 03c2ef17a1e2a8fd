package local.switchboard.confluent;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Set;
import javax.security.auth.callback.Callback;
import javax.security.auth.login.AppConfigurationEntry;
import org.apache.kafka.common.security.auth.AuthenticateCallbackHandler;
import org.apache.kafka.common.security.auth.SaslExtensions;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerExtensionsValidatorCallback;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerToken;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What Kafka itself checks of a token is not repeated here. */
class SimulatedConfluentLoginTest {
  private static final String issuer = "https://switchboard.example.com";
  private static final String pools =
      """
      [{ "id": "pool-a", "issuer": "%s", "filter": "claims.sub == \\"sb.orders-api\\" && claims.aud == \\"here\\"" },
       { "id": "pool-b", "issuer": "%s", "filter": "claims.sub == \\"sb.billing\\"" },
       { "id": "pool-c", "issuer": "https://else.example.com", "filter": "claims.sub == \\"sb.orders-api\\"" },
       { "id": "pool-d", "issuer": "%s", "filter": "true" }]
      """
          .formatted(issuer, issuer, issuer);

  @TempDir Path folder;

  private Set<String> refusedOf(Map<String, String> extensions) throws Exception {
    Path file = Files.writeString(folder.resolve("pools.json"), pools);
    SimulatedConfluentLogin login = new SimulatedConfluentLogin(new AcceptsEveryToken());
    login.configure(
        Map.of(
            SimulatedConfluentLogin.clusterIdConfig, "lkc-1",
            SimulatedConfluentLogin.poolsFileConfig, file.toString()),
        "OAUTHBEARER",
        List.of());
    var callback = new OAuthBearerExtensionsValidatorCallback(
        new Token("{\"iss\":\"" + issuer + "\",\"sub\":\"sb.orders-api\",\"aud\":\"here\"}"), new SaslExtensions(extensions));
    login.handle(new Callback[] {callback});
    return callback.invalidExtensions().keySet();
  }

  private static Map<String, String> with(String cluster, String pool) {
    return Map.of(SimulatedConfluentLogin.logicalCluster, cluster, SimulatedConfluentLogin.identityPoolId, pool);
  }

  @Test
  void letsInAPoolWhoseFilterTakesTheToken() throws Exception {
    assertEquals(Set.of(), refusedOf(with("lkc-1", "pool-a")));
  }

  @Test
  void refusesAMissingOrAnotherCluster() throws Exception {
    assertEquals(Set.of("logicalCluster"), refusedOf(with("lkc-2", "pool-a")));
    assertEquals(Set.of("logicalCluster"), refusedOf(Map.of("identityPoolId", "pool-a")));
  }

  @Test
  void refusesAPoolOfSomebodyElseOfAnotherIssuerUnknownOrMissing() throws Exception {
    for (String pool : List.of("pool-b", "pool-c", "pool-z"))
      assertEquals(Set.of("identityPoolId"), refusedOf(with("lkc-1", pool)), pool);
    assertEquals(Set.of("identityPoolId"), refusedOf(Map.of("logicalCluster", "lkc-1")));
  }

  @Test
  void aFilterItCannotReadTakesNobody() throws Exception {
    assertEquals(Set.of("identityPoolId"), refusedOf(with("lkc-1", "pool-d")));
  }

  private static final class AcceptsEveryToken implements AuthenticateCallbackHandler {
    @Override
    public void configure(Map<String, ?> configs, String mechanism, List<AppConfigurationEntry> entries) {}

    @Override
    public void handle(Callback[] callbacks) throws IOException {}

    @Override
    public void close() {}
  }

  private record Token(String claims) implements OAuthBearerToken {
    @Override
    public String value() {
      return "e30." + Base64.getUrlEncoder().withoutPadding().encodeToString(claims.getBytes(StandardCharsets.UTF_8)) + ".x";
    }

    @Override
    public Set<String> scope() {
      return Set.of();
    }

    @Override
    public long lifetimeMs() {
      return Long.MAX_VALUE;
    }

    @Override
    public String principalName() {
      return "sb.orders-api";
    }

    @Override
    public Long startTimeMs() {
      return null;
    }
  }
}
