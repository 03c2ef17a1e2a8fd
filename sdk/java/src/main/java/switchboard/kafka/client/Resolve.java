package switchboard.kafka.client;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.time.Duration;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** One {@code POST /v1/resolve}: the intent and the workload's token in, one cluster's token out. */
final class Resolve {
  /** What a client needs to log in. */
  record Login(KafkaToken token, Map<String, String> extensions) {}

  private static final Duration timeout = Duration.ofSeconds(3);

  private final LoginOptions options;
  private final ObjectMapper json = new ObjectMapper();
  // follows no redirects: whoever one leads to is not whom the workload's token is for
  private final HttpClient http = HttpClient.newBuilder().connectTimeout(timeout).build();

  Resolve(LoginOptions options) {
    this.options = options;
  }

  Login ask() throws IOException {
    HttpRequest request =
        HttpRequest.newBuilder(options.resolveUrl())
            .timeout(timeout)
            .header("Content-Type", "application/json")
            .header("Authorization", "Bearer " + Files.readString(options.tokenFile()).strip())
            .POST(BodyPublishers.ofByteArray(json.writeValueAsBytes(intent())))
            .build();
    HttpResponse<byte[]> response = send(request);
    if (response.statusCode() != 200) throw refusal(response);
    return login(connectionOf(json(response.body())));
  }

  private ObjectNode intent() {
    ObjectNode intent = json.createObjectNode();
    if (!options.produce().isEmpty()) options.produce().forEach(intent.putArray("produce")::add);
    if (!options.consume().isEmpty()) options.consume().forEach(intent.putArray("consume")::add);
    options.group().ifPresent(group -> intent.put("group", group));
    options.network().ifPresent(network -> intent.put("network", network));
    // with an instance the lease is the same one each time
    intent.putObject("client").put("instance", options.instance()).put("family", "java");
    return intent;
  }

  private HttpResponse<byte[]> send(HttpRequest request) throws IOException {
    try {
      return http.send(request, BodyHandlers.ofByteArray());
    } catch (InterruptedException error) {
      Thread.currentThread().interrupt();
      throw failure("request_failed", "the request was interrupted", false);
    } catch (IOException error) {
      throw failure("request_failed", "switchboard cannot be reached: " + error.getClass().getSimpleName(), true);
    }
  }

  private JsonNode connectionOf(JsonNode answer) throws SwitchboardException {
    List<JsonNode> connections = new ArrayList<>();
    List<String> names = new ArrayList<>();
    for (JsonNode connection : answer.path("connections")) {
      String name = connection.path("cluster").path("name").asText();
      names.add("`" + name + "`");
      if (options.cluster().isEmpty() || options.cluster().get().equals(name)) connections.add(connection);
    }
    if (connections.size() == 1) return connections.get(0);
    if (names.isEmpty()) throw failure("malformed_answer", "malformed answer: no connection", false);
    String asked = options.cluster().map(name -> "no cluster `" + name + "`").orElse("no cluster was named");
    throw failure("unknown_cluster", asked + "; the lease has " + String.join(", ", names), false);
  }

  private Login login(JsonNode connection) throws SwitchboardException {
    JsonNode credential = connection.path("credential");
    String kind = credential.path("kind").asText();
    String cluster = connection.path("cluster").path("name").asText();
    if (!List.of("jwt", "msk-iam").contains(kind))
      throw failure(
          "unsupported",
          "cluster `" + cluster + "` hands out a credential of kind `" + kind + "`; allowed: `jwt`, `msk-iam`",
          false);
    Map<String, String> extensions = new LinkedHashMap<>();
    connection.path("extensions").fields().forEachRemaining(entry -> extensions.put(entry.getKey(), entry.getValue().asText()));
    try {
      long end = Instant.parse(credential.path("expiresAt").asText()).toEpochMilli();
      // what a client calls itself; the broker knows better
      return new Login(new KafkaToken(credential.required("token").asText(), end, System.currentTimeMillis(), cluster), extensions);
    } catch (DateTimeParseException | IllegalArgumentException error) {
      throw failure("malformed_answer", "malformed answer: no token, or no time that it ends at", false);
    }
  }

  private SwitchboardException refusal(HttpResponse<byte[]> response) {
    JsonNode problem;
    try {
      problem = json(response.body());
    } catch (SwitchboardException error) {
      problem = json.createObjectNode();
    }
    int status = response.statusCode();
    String code = problem.path("code").asText("unexpected_answer");
    StringBuilder message = new StringBuilder("switchboard answered " + status + " `" + code + "`");
    if (problem.hasNonNull("detail")) message.append(": ").append(problem.get("detail").asText());
    if (problem.hasNonNull("instance")) message.append(": request `").append(problem.get("instance").asText()).append('`');
    boolean isRetryable = problem.path("retryable").asBoolean(status == 429 || status >= 502);
    Optional<Duration> after =
        response.headers().firstValue("Retry-After").filter(text -> text.matches("\\d{1,4}")).map(text -> Duration.ofSeconds(Long.parseLong(text)));
    return new SwitchboardException(code, message.toString(), isRetryable, after);
  }

  private JsonNode json(byte[] body) throws SwitchboardException {
    try {
      JsonNode node = json.readTree(body);
      if (node != null && node.isObject()) return node;
    } catch (JsonProcessingException error) {
      // what it says could be a token
    } catch (IOException error) {
      throw new IllegalStateException(error);
    }
    throw failure("malformed_answer", "malformed answer: no JSON object", false);
  }

  private static SwitchboardException failure(String code, String message, boolean isRetryable) {
    return new SwitchboardException(code, message, isRetryable, Optional.empty());
  }
}
