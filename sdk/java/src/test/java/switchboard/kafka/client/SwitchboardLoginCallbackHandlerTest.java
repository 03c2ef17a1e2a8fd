package switchboard.kafka.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpServer;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import javax.security.auth.callback.Callback;
import javax.security.auth.callback.NameCallback;
import javax.security.auth.callback.UnsupportedCallbackException;
import javax.security.auth.login.AppConfigurationEntry;
import javax.security.auth.login.AppConfigurationEntry.LoginModuleControlFlag;
import org.apache.kafka.common.config.ConfigException;
import org.apache.kafka.common.security.auth.SaslExtensionsCallback;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerToken;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerTokenCallback;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SwitchboardLoginCallbackHandlerTest {
  private record Asked(String path, String authorization, JsonNode intent) {}

  private record Reply(int status, String body, Map<String, String> headers) {
    Reply(int status, String body) {
      this(status, body, Map.of());
    }
  }

  private static final String created = "kafka://payments.acme.com/orders/created";
  private static final String end = "2126-11-21T12:15:00.000Z";

  @TempDir Path folder;
  private final List<Asked> asked = new ArrayList<>();
  private final List<Reply> replies = new ArrayList<>();
  private HttpServer server;
  private Path tokenFile;

  @BeforeEach
  void startSwitchboard() throws Exception {
    tokenFile = Files.writeString(folder.resolve("workload.jwt"), "workload.token.1\n");
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.createContext(
        "/",
        exchange -> {
          JsonNode intent = new ObjectMapper().readTree(exchange.getRequestBody());
          asked.add(new Asked(exchange.getRequestURI().toString(), exchange.getRequestHeaders().getFirst("Authorization"), intent));
          Reply reply = replies.size() > 1 ? replies.remove(0) : replies.get(0);
          reply.headers().forEach(exchange.getResponseHeaders()::set);
          byte[] body = reply.body().getBytes(StandardCharsets.UTF_8);
          exchange.sendResponseHeaders(reply.status(), body.length == 0 ? -1 : body.length);
          exchange.getResponseBody().write(body);
          exchange.close();
        });
    server.start();
  }

  @AfterEach
  void stopSwitchboard() {
    server.stop(0);
  }

  private static String connection(String cluster, String credential) {
    return "{\"cluster\":{\"name\":\"%s\",\"provider\":\"msk\"},\"credential\":%s}".formatted(cluster, credential);
  }

  private static String token(String kind, String value) {
    return "{\"kind\":\"%s\",\"token\":\"%s\",\"expiresAt\":\"%s\"}".formatted(kind, value, end);
  }

  private static Reply answer(String... connections) {
    return new Reply(200, "{\"lease\":{},\"connections\":[" + String.join(",", connections) + "]}");
  }

  private static Reply problem(int status, String code, boolean isRetryable, Map<String, String> headers) {
    String body = "{\"code\":\"%s\",\"detail\":\"said so\",\"instance\":\"urn:request:r-1\",\"retryable\":%s}".formatted(code, isRetryable);
    return new Reply(status, body, headers);
  }

  private SwitchboardLoginCallbackHandler handler(Map<String, String> more) {
    Map<String, String> options = new HashMap<>();
    options.put("url", "http://127.0.0.1:" + server.getAddress().getPort());
    options.put("tokenFile", tokenFile.toString());
    options.put("produce", created);
    options.putAll(more);
    options.values().removeIf(String::isEmpty);
    SwitchboardLoginCallbackHandler handler = new SwitchboardLoginCallbackHandler();
    handler.configure(
        Map.of(), "OAUTHBEARER", List.of(new AppConfigurationEntry("module", LoginModuleControlFlag.REQUIRED, options)));
    return handler;
  }

  private static OAuthBearerToken tokenOf(SwitchboardLoginCallbackHandler handler) throws Exception {
    OAuthBearerTokenCallback callback = new OAuthBearerTokenCallback();
    handler.handle(new Callback[] {callback});
    return callback.token();
  }

  private SwitchboardException refusalOf(Map<String, String> more) {
    return assertThrows(SwitchboardException.class, () -> tokenOf(handler(more)));
  }

  @ParameterizedTest
  @CsvSource({"jwt", "msk-iam"})
  void givesKafkaTheTokenThatSwitchboardAnswers(String kind) throws Exception {
    replies.add(answer(connection("analytics", token(kind, "kafka-token"))));
    OAuthBearerToken token = tokenOf(handler(Map.of("group", "orders-api-1", "network", "vpc-1", "instance", "pod-1")));
    assertEquals("kafka-token", token.value());
    assertEquals(java.time.Instant.parse(end).toEpochMilli(), token.lifetimeMs());
    assertFalse(token.toString().contains("kafka-token"));
    Asked request = asked.get(0);
    assertEquals("/v1/resolve", request.path());
    assertEquals("Bearer workload.token.1", request.authorization());
    assertEquals(
        new ObjectMapper()
            .readTree(
                "{\"produce\":[\"%s\"],\"group\":\"orders-api-1\",\"network\":\"vpc-1\",\"client\":{\"instance\":\"pod-1\",\"family\":\"java\"}}"
                    .formatted(created)),
        request.intent());
  }

  @Test
  void readsTheWorkloadsTokenAgainAndKeepsItsInstance() throws Exception {
    replies.add(answer(connection("analytics", token("msk-iam", "kafka-token"))));
    SwitchboardLoginCallbackHandler handler = handler(Map.of("consume", created + ", " + created + "/a"));
    tokenOf(handler);
    Files.writeString(tokenFile, "workload.token.2");
    tokenOf(handler);
    assertEquals("Bearer workload.token.2", asked.get(1).authorization());
    assertEquals(2, asked.get(0).intent().get("consume").size());
    Iterator<Asked> both = asked.iterator();
    assertEquals(both.next().intent(), both.next().intent());
  }

  @Test
  void choosesTheClusterThatIsNamed() throws Exception {
    replies.add(answer(connection("analytics", token("jwt", "one")), connection("payments", token("msk-iam", "two"))));
    assertEquals("two", tokenOf(handler(Map.of("cluster", "payments"))).value());
    assertEquals("unknown_cluster", refusalOf(Map.of()).code());
    assertTrue(refusalOf(Map.of("cluster", "other")).getMessage().contains("`analytics`, `payments`"));
  }

  @Test
  void sendsTheExtensionsThatBelongToTheToken() throws Exception {
    String connection = connection("analytics", token("jwt", "one")).replaceFirst("\\{", "{\"extensions\":{\"logicalCluster\":\"lkc-1\"},");
    replies.add(answer(connection));
    SwitchboardLoginCallbackHandler handler = handler(Map.of());
    tokenOf(handler);
    SaslExtensionsCallback extensions = new SaslExtensionsCallback();
    handler.handle(new Callback[] {extensions});
    assertEquals(Map.of("logicalCluster", "lkc-1"), extensions.extensions().map());
  }

  @Test
  void waitsAsLongAsSwitchboardSays() throws Exception {
    replies.add(problem(503, "credential_not_ready", true, Map.of("Retry-After", "1")));
    replies.add(answer(connection("analytics", token("msk-iam", "kafka-token"))));
    long start = System.nanoTime();
    assertEquals("kafka-token", tokenOf(handler(Map.of())).value());
    assertTrue(System.nanoTime() - start >= 1_000_000_000L);
    assertEquals(2, asked.size());
  }

  @Test
  void tellsARefusalAtOnceAndWhichRequestItWas() {
    replies.add(problem(403, "access_denied", false, Map.of()));
    SwitchboardException refused = refusalOf(Map.of());
    assertEquals("access_denied", refused.code());
    assertEquals("switchboard answered 403 `access_denied`: said so: request `urn:request:r-1`", refused.getMessage());
    assertEquals(1, asked.size());
  }

  @Test
  void followsNoRedirectAndBelievesNoAnswerThatIsNone() {
    replies.add(new Reply(307, "", Map.of("Location", "http://127.0.0.1:1/v1/resolve")));
    assertEquals("unexpected_answer", refusalOf(Map.of()).code());
    for (String body : List.of("kafka-token", "[]", "{}", "{\"connections\":[]}")) {
      replies.set(0, new Reply(200, body));
      SwitchboardException refused = refusalOf(Map.of());
      assertEquals("malformed_answer", refused.code());
      assertFalse(String.valueOf(refused.getMessage() + refused.getCause()).contains("kafka-token"));
    }
    replies.set(0, answer(connection("analytics", "{\"kind\":\"jwt\",\"token\":\"kafka-token\",\"expiresAt\":\"soon\"}")));
    assertEquals("malformed_answer", refusalOf(Map.of()).code());
  }

  @Test
  void saysWhichCredentialsItCannotUse() {
    replies.add(answer(connection("analytics", "{\"kind\":\"scram\",\"password\":\"kafka-password\"}")));
    SwitchboardException refused = refusalOf(Map.of());
    assertEquals("unsupported", refused.code());
    assertEquals("cluster `analytics` hands out a credential of kind `scram`; allowed: `jwt`, `msk-iam`", refused.getMessage());
  }

  @ParameterizedTest
  @CsvSource({
    "url, http://switchboard.acme.com, expected https",
    "url, https://user:secret@switchboard.acme.com, expected neither",
    "url, https://a b, no URL",
    "url, '', `url` is missing",
    "tokenFile, '', `tokenFile` is missing",
    "produce, '', at least one in `produce` or `consume`",
    "prodcue, a, option `prodcue` is unknown; allowed: cluster",
  })
  void refusesWrongOptionsWhenTheClientIsMade(String name, String value, String reason) {
    ConfigException refused = assertThrows(ConfigException.class, () -> handler(Map.of(name, value)));
    assertTrue(refused.getMessage().contains(reason), refused.getMessage());
    assertFalse(refused.getMessage().contains("secret"));
  }

  @Test
  void isForOauthbearerAndNothingElse() {
    SwitchboardLoginCallbackHandler handler = new SwitchboardLoginCallbackHandler();
    assertThrows(ConfigException.class, () -> handler.configure(Map.of(), "PLAIN", List.of()));
    assertThrows(ConfigException.class, () -> handler.configure(Map.of(), "OAUTHBEARER", List.of()));
    assertThrows(UnsupportedCallbackException.class, () -> handler(Map.of()).handle(new Callback[] {new NameCallback("who")}));
  }
}
