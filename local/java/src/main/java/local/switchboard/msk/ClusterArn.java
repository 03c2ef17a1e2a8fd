package local.switchboard.msk;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** {@code arn:aws:kafka:region:account:cluster/name/uuid}, and the ARNs of what is on it. */
record ClusterArn(String text, String region, String prefix, String id) {
  private static final Pattern pattern = Pattern.compile("(arn:[^:]+:kafka:([^:]+):\\d+):cluster/([^/]+/[^/]+)");

  static ClusterArn parse(String text) {
    Matcher matcher = pattern.matcher(text);
    if (!matcher.matches()) throw new IllegalArgumentException("`" + text + "` is no ARN of an MSK cluster");
    return new ClusterArn(text, matcher.group(2), matcher.group(1), matcher.group(3));
  }

  String of(String kind, String name) {
    return prefix + ":" + kind + "/" + id + "/" + name;
  }
}
