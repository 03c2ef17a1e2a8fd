package local.switchboard.confluent;

import java.util.Arrays;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The part of Common Expression Language that the control plane takes: {@code claims.<name> == "<value>"}, joined by
 * {@code &&}. A filter of anything else takes nobody.
 */
record PoolFilter(List<String> terms) {
  private static final Pattern term = Pattern.compile("claims\\.([A-Za-z_]+) *== *\"([^\"\\\\]*)\"");

  static PoolFilter parse(String text) {
    return new PoolFilter(Arrays.stream(text.split("&&", -1)).map(String::strip).toList());
  }

  boolean takes(Claims claims) {
    return terms.stream().allMatch(text -> {
      Matcher found = term.matcher(text);
      return found.matches() && claims.has(found.group(1), found.group(2));
    });
  }
}
