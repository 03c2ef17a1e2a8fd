package local.switchboard.confluent;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/** The API keys of service accounts as the control plane last wrote them, read anew at each login. */
final class ApiKeys {
  /** Where the simulated control plane notes them. */
  static final String fileConfig = "simulated.confluent.keys.file";

  private static final ObjectMapper mapper = new ObjectMapper();

  record Key(String secret, String owner) {}

  private final Path file;

  ApiKeys(Path file) {
    this.file = file;
  }

  /** A key that works now: not yet while it is on its way to the brokers, and no more some time after its deletion. */
  Optional<Key> find(String id, long now) throws IOException {
    if (!Files.exists(file)) return Optional.empty();
    for (JsonNode each : mapper.readTree(file.toFile()))
      if (each.path("key").asText().equals(id)
          && now >= each.path("worksFrom").asDouble()
          && now < each.path("worksUntil").asDouble(Double.POSITIVE_INFINITY))
        return Optional.of(new Key(each.path("secret").asText(), each.path("owner").asText()));
    return Optional.empty();
  }

  /** Whose a key is, also of one that was just deleted: who has logged in stays who it was. */
  Optional<String> ownerOf(String id) throws IOException {
    if (!Files.exists(file)) return Optional.empty();
    for (JsonNode each : mapper.readTree(file.toFile()))
      if (each.path("key").asText().equals(id)) return Optional.of(each.path("owner").asText());
    return Optional.empty();
  }
}
