package local.switchboard.confluent;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** The pools of the organisation as the control plane last wrote them, read anew at each login. */
final class IdentityPools {
  private static final ObjectMapper mapper = new ObjectMapper();

  private final Path file;

  IdentityPools(Path file) {
    this.file = file;
  }

  /** Whether this is a pool, its provider is who issued the token, and its filter takes the token. */
  boolean takes(String pool, Claims claims) throws IOException {
    if (!Files.exists(file)) return false;
    for (JsonNode each : mapper.readTree(file.toFile()))
      if (each.path("id").asText().equals(pool))
        return claims.has("iss", each.path("issuer").asText())
            && PoolFilter.parse(each.path("filter").asText()).takes(claims);
    return false;
  }
}
