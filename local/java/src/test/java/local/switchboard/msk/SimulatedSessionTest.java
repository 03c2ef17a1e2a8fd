package local.switchboard.msk;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.Optional;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.resource.ResourceType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SimulatedSessionTest {
  private static final String orders = "arn:aws:kafka:r:1:topic/c/u/orders.created";

  private static SimulatedSession session(String role, String passed) throws Exception {
    String record =
        """
        {"accessKeyId":"k","secretAccessKey":"s","sessionToken":"t","expiration":0,"arn":"a","rolePolicies":%s,"sessionPolicies":%s}
        """
            .formatted(role.replace('\'', '"'), passed.replace('\'', '"'));
    return SimulatedSession.of(new ObjectMapper().readTree(record));
  }

  private static String allow(String action, String resource) {
    return "{'Effect':'Allow','Action':'%s','Resource':'%s'}".formatted(action, resource);
  }

  private static String policies(String... statements) {
    return "[{'Statement':[" + String.join(",", statements) + "]}]";
  }

  @ParameterizedTest
  @CsvSource({
    "kafka-cluster:WriteData, arn:aws:kafka:r:1:topic/c/u/orders.created, true",
    "kafka-cluster:writedata, arn:aws:kafka:r:1:topic/c/u/orders.created, true",
    "kafka-cluster:*Data, arn:aws:kafka:r:1:topic/c/u/orders.*, true",
    "kafka-cluster:WriteDat?, arn:aws:kafka:r:1:topic/c/u/orders.create?, true",
    "kafka-cluster:ReadData, arn:aws:kafka:r:1:topic/c/u/orders.created, false",
    "kafka-cluster:WriteData, arn:aws:kafka:r:1:topic/c/u/orders, false",
    "kafka-cluster:WriteData, arn:aws:kafka:r:1:topic/c/u/Orders.created, false",
    "kafka-cluster:WriteData, arn:aws:kafka:r:1:topic/c/u/ordersXcreated, false",
    "kafka-cluster:WriteData, arn:aws:kafka:r:1:topic/c/u/orders.creat${x}, false",
  })
  void comparesActionsAndResourcesAsIamDoes(String action, String resource, boolean isAllowed) throws Exception {
    SimulatedSession session = session(policies(allow("*", "*")), policies(allow(action, resource)));
    assertEquals(isAllowed, session.allows("kafka-cluster:WriteData", orders));
  }

  @Test
  void givesWhatBothTheRoleAndThePassedPolicyGive() throws Exception {
    String write = policies(allow("kafka-cluster:WriteData", orders));
    assertEquals(true, session(write, "null").allows("kafka-cluster:WriteData", orders));
    assertEquals(false, session(write, "[]").allows("kafka-cluster:WriteData", orders));
    assertEquals(false, session("[]", write).allows("kafka-cluster:WriteData", orders));
    assertEquals(false, session(write, policies(allow("kafka-cluster:ReadData", orders))).allows("kafka-cluster:ReadData", orders));
  }

  @Test
  void lettingADenialWinAndWhatItCannotEvaluateNeverAllow() throws Exception {
    String all = allow("*", "*");
    String deny = allow("kafka-cluster:WriteData", orders).replace("Allow", "Deny");
    String conditional = all.replace("}", ",'Condition':{'Bool':{'aws:SecureTransport':'true'}}}");
    String inverted = "{'Effect':'Allow','NotAction':'kafka-cluster:ReadData','Resource':'*'}";
    assertEquals(false, session(policies(all, deny), policies(all)).allows("kafka-cluster:WriteData", orders));
    assertEquals(true, session(policies(all, deny), policies(all)).allows("kafka-cluster:ReadData", orders));
    assertEquals(false, session(policies(conditional), policies(all)).allows("kafka-cluster:WriteData", orders));
    assertEquals(false, session(policies(inverted), policies(all)).allows("kafka-cluster:WriteData", orders));
    assertEquals(false, session(policies(all, conditional.replace("Allow", "Deny")), policies(all)).allows("kafka-cluster:WriteData", orders));
  }

  @ParameterizedTest
  @CsvSource({
    "TOPIC, READ, ReadData",
    "TOPIC, WRITE, WriteData",
    "TOPIC, DESCRIBE, DescribeTopic",
    "GROUP, READ, AlterGroup",
    "GROUP, DESCRIBE, DescribeGroup",
    "TRANSACTIONAL_ID, WRITE, AlterTransactionalId",
    "TRANSACTIONAL_ID, DESCRIBE, DescribeTransactionalId",
    "CLUSTER, IDEMPOTENT_WRITE, WriteDataIdempotently",
    "CLUSTER, ALTER, AlterCluster",
  })
  void namesTheActionOfIamForOneOfKafkas(ResourceType type, AclOperation operation, String action) {
    assertEquals(Optional.of(action), SimulatedMskAuthorizer.rightFor(type, operation));
  }

  @Test
  void hasNoActionForWhatMskDoesNotKnow() {
    assertEquals(Optional.empty(), SimulatedMskAuthorizer.rightFor(ResourceType.CLUSTER, AclOperation.CLUSTER_ACTION));
    assertEquals(Optional.empty(), SimulatedMskAuthorizer.rightFor(ResourceType.DELEGATION_TOKEN, AclOperation.DESCRIBE));
  }
}
