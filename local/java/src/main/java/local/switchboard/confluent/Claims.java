package local.switchboard.confluent;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.util.Base64;

/** What a token says, whose signature somebody else has checked. */
record Claims(JsonNode json) {
  private static final ObjectMapper mapper = new ObjectMapper();

  static Claims of(String token) throws IOException {
    String[] parts = token.split("\\.");
    if (parts.length != 3) throw new IOException("the token has " + parts.length + " parts; a JWT has 3");
    return new Claims(mapper.readTree(Base64.getUrlDecoder().decode(parts[1])));
  }

  boolean has(String name, String value) {
    JsonNode claim = json.path(name);
    return claim.isTextual() && claim.asText().equals(value);
  }
}
