package local.switchboard.msk;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.resource.ResourceType;
import org.apache.kafka.metadata.authorizer.StandardAuthorizer;
import org.apache.kafka.server.authorizer.Action;
import org.apache.kafka.server.authorizer.AuthorizableRequestContext;
import org.apache.kafka.server.authorizer.AuthorizationResult;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Decides what whoever came in with IAM may do by the policies of its session, and everybody else by Kafka's ACLs.
 *
 * <p>See "Semantics of IAM authorization policy actions and resources" in the MSK Developer Guide.
 */
public final class SimulatedMskAuthorizer extends StandardAuthorizer {
  private static final Logger log = LoggerFactory.getLogger(SimulatedMskAuthorizer.class);

  private ClusterArn cluster;

  @Override
  public void configure(Map<String, ?> configs) {
    super.configure(configs);
    cluster = ClusterArn.parse(String.valueOf(configs.get(SimulatedMskLogin.clusterArnConfig)));
  }

  @Override
  public List<AuthorizationResult> authorize(AuthorizableRequestContext context, List<Action> actions) {
    if (!(context.principal() instanceof SimulatedMskPrincipal principal)) return super.authorize(context, actions);
    return actions.stream().map(action -> decide(principal.session(), action)).toList();
  }

  /** Kafka asks it for idempotent producers, who on MSK need the right to that and no other that would do instead. */
  @Override
  public AuthorizationResult authorizeByResourceType(AuthorizableRequestContext context, AclOperation operation, ResourceType type) {
    if (context.principal() instanceof SimulatedMskPrincipal) return AuthorizationResult.DENIED;
    return super.authorizeByResourceType(context, operation, type);
  }

  private AuthorizationResult decide(SimulatedSession session, Action action) {
    ResourceType type = action.resourcePattern().resourceType();
    Optional<String> right = rightFor(type, action.operation());
    String resource = arnOf(type, action.resourcePattern().name());
    boolean isAllowed = right.filter(name -> session.allows("kafka-cluster:" + name, resource)).isPresent();
    if (!isAllowed && action.logIfDenied())
      log.info("denied {} on {} to {}", right.orElse(action.operation().name()), resource, session);
    return isAllowed ? AuthorizationResult.ALLOWED : AuthorizationResult.DENIED;
  }

  private String arnOf(ResourceType type, String name) {
    return switch (type) {
      case TOPIC -> cluster.of("topic", name);
      case GROUP -> cluster.of("group", name);
      case TRANSACTIONAL_ID -> cluster.of("transactional-id", name);
      default -> cluster.text();
    };
  }

  /** The action of IAM for one of Kafka's; without one, nothing allows it. */
  static Optional<String> rightFor(ResourceType type, AclOperation operation) {
    return Optional.ofNullable(
        switch (type) {
          case TOPIC -> switch (operation) {
            case READ -> "ReadData";
            case WRITE -> "WriteData";
            case DESCRIBE -> "DescribeTopic";
            case CREATE -> "CreateTopic";
            case DELETE -> "DeleteTopic";
            case ALTER -> "AlterTopic";
            case DESCRIBE_CONFIGS -> "DescribeTopicDynamicConfiguration";
            case ALTER_CONFIGS -> "AlterTopicDynamicConfiguration";
            default -> null;
          };
          case GROUP -> switch (operation) {
            case READ -> "AlterGroup";
            case DESCRIBE -> "DescribeGroup";
            case DELETE -> "DeleteGroup";
            default -> null;
          };
          case TRANSACTIONAL_ID -> switch (operation) {
            case WRITE -> "AlterTransactionalId";
            case DESCRIBE -> "DescribeTransactionalId";
            default -> null;
          };
          case CLUSTER -> switch (operation) {
            case IDEMPOTENT_WRITE -> "WriteDataIdempotently";
            case DESCRIBE -> "DescribeCluster";
            case ALTER -> "AlterCluster";
            case DESCRIBE_CONFIGS -> "DescribeClusterDynamicConfiguration";
            case ALTER_CONFIGS -> "AlterClusterDynamicConfiguration";
            default -> null;
          };
          default -> null;
        });
  }
}
