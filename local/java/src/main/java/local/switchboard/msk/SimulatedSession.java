package local.switchboard.msk;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Instant;
import java.util.Optional;

/** What AssumeRole answered, and what whoever holds it may do: what the role and, when one was passed, the policy allow. */
record SimulatedSession(
    String accessKeyId,
    String secretAccessKey,
    String sessionToken,
    Instant end,
    String arn,
    PolicyStatements role,
    Optional<PolicyStatements> passed) {

  static SimulatedSession of(JsonNode record) {
    JsonNode policies = record.path("sessionPolicies");
    return new SimulatedSession(
        record.required("accessKeyId").asText(),
        record.required("secretAccessKey").asText(),
        record.required("sessionToken").asText(),
        Instant.ofEpochSecond(record.required("expiration").asLong()),
        record.required("arn").asText(),
        PolicyStatements.of(record.required("rolePolicies")),
        policies.isArray() ? Optional.of(PolicyStatements.of(policies)) : Optional.empty());
  }

  boolean allows(String action, String resource) {
    if (role.denies(action, resource) || passed.filter(policy -> policy.denies(action, resource)).isPresent()) return false;
    return role.allows(action, resource) && passed.map(policy -> policy.allows(action, resource)).orElse(true);
  }

  /** Without its secrets, for logs. */
  @Override
  public String toString() {
    return arn;
  }
}
