package local.switchboard.msk;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;

/**
 * Policies of IAM as far as they are about {@code Effect}, {@code Action} and {@code Resource}. What this does not
 * evaluate (conditions, {@code Not...}, variables) never allows anything, and denies where it says so.
 */
record PolicyStatements(List<Statement> statements) {

  record Statement(boolean allows, List<String> actions, List<String> resources, boolean isReadInFull) {
    boolean matches(String action, String resource) {
      if (!isReadInFull) return !allows;
      // actions are compared without regard to case, resources are not
      return actions.stream().anyMatch(pattern -> isLike(pattern, action, Pattern.CASE_INSENSITIVE))
          && resources.stream().anyMatch(pattern -> isLike(pattern, resource, 0));
    }
  }

  static PolicyStatements of(Iterable<JsonNode> documents) {
    List<Statement> statements = new ArrayList<>();
    for (JsonNode document : documents)
      for (JsonNode statement : listOf(document.path("Statement"))) statements.add(statementOf(statement));
    return new PolicyStatements(List.copyOf(statements));
  }

  boolean denies(String action, String resource) {
    return statements.stream().anyMatch(statement -> !statement.allows() && statement.matches(action, resource));
  }

  boolean allows(String action, String resource) {
    return statements.stream().anyMatch(statement -> statement.allows() && statement.matches(action, resource));
  }

  private static Statement statementOf(JsonNode statement) {
    List<String> actions = textsOf(statement.path("Action"));
    List<String> resources = textsOf(statement.path("Resource"));
    boolean isReadInFull =
        !statement.has("Condition")
            && !statement.has("NotAction")
            && !statement.has("NotResource")
            && resources.stream().noneMatch(resource -> resource.contains("${"));
    return new Statement("Allow".equals(statement.path("Effect").asText()), actions, resources, isReadInFull);
  }

  private static List<JsonNode> listOf(JsonNode node) {
    List<JsonNode> list = new ArrayList<>();
    if (node.isArray()) node.forEach(list::add);
    else if (!node.isMissingNode()) list.add(node);
    return list;
  }

  private static List<String> textsOf(JsonNode node) {
    return listOf(node).stream().map(JsonNode::asText).toList();
  }

  private static boolean isLike(String pattern, String text, int flags) {
    StringBuilder expression = new StringBuilder();
    for (char each : pattern.toCharArray())
      expression.append(each == '*' ? ".*" : each == '?' ? "." : Pattern.quote(String.valueOf(each)));
    return Pattern.compile(expression.toString(), flags | Pattern.DOTALL).matcher(text).matches();
  }
}
