package switchboard.kafka.client;

import java.util.Set;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerToken;

/** Opaque here: a JWT of Switchboard's or a token of AWS. */
record KafkaToken(String value, long lifetimeMs, Long startTimeMs, String principalName) implements OAuthBearerToken {
  @Override
  public Set<String> scope() {
    return Set.of();
  }

  /** Kafka logs tokens that it refreshes. */
  @Override
  public String toString() {
    return "KafkaToken[principalName=" + principalName + ", lifetimeMs=" + lifetimeMs + "]";
  }
}
