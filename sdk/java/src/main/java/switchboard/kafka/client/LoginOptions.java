package switchboard.kafka.client;

import java.net.URI;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.UUID;
import org.apache.kafka.common.config.ConfigException;

/** What the login module was told, checked. */
record LoginOptions(
    URI resolveUrl,
    Path tokenFile,
    List<String> produce,
    List<String> consume,
    Optional<String> group,
    Optional<String> network,
    Optional<String> cluster,
    String instance) {

  private static final Set<String> names =
      new TreeSet<>(Set.of("url", "tokenFile", "produce", "consume", "group", "network", "cluster", "instance"));

  private static final String processInstance = "java-" + UUID.randomUUID();

  /**
   * @throws ConfigException naming the option that is wrong, what it was and what is allowed
   */
  static LoginOptions parse(Map<String, ?> options) {
    for (String name : options.keySet())
      if (!names.contains(name)) throw new ConfigException("option `" + name + "` is unknown; allowed: " + String.join(", ", names));
    List<String> produce = channels(options, "produce");
    List<String> consume = channels(options, "consume");
    if (produce.isEmpty() && consume.isEmpty())
      throw new ConfigException("no channel is asked for; expected at least one in `produce` or `consume`");
    return new LoginOptions(
        resolveUrl(required(options, "url")),
        Path.of(required(options, "tokenFile")),
        produce,
        consume,
        text(options, "group"),
        text(options, "network"),
        text(options, "cluster"),
        text(options, "instance").orElse(processInstance));
  }

  private static URI resolveUrl(String text) {
    URI url;
    try {
      url = URI.create(text.replaceAll("/+$", "") + "/v1/resolve");
    } catch (IllegalArgumentException error) {
      throw new ConfigException("`url` is no URL");
    }
    String host = String.valueOf(url.getHost());
    boolean isLoopback = Set.of("localhost", "127.0.0.1", "[::1]").contains(host);
    if (!"https".equals(url.getScheme()) && !("http".equals(url.getScheme()) && isLoopback))
      throw new ConfigException("`url` is `" + url.getScheme() + "://" + host + "`; expected https, or http on a loopback address");
    if (url.getUserInfo() != null) throw new ConfigException("`url` has a user or a password; expected neither");
    return url;
  }

  private static List<String> channels(Map<String, ?> options, String name) {
    return text(options, name).stream()
        .flatMap(list -> Arrays.stream(list.split(",")))
        .map(String::strip)
        .filter(channel -> !channel.isEmpty())
        .toList();
  }

  private static String required(Map<String, ?> options, String name) {
    return text(options, name).orElseThrow(() -> new ConfigException("option `" + name + "` is missing"));
  }

  private static Optional<String> text(Map<String, ?> options, String name) {
    return Optional.ofNullable(options.get(name)).map(Object::toString).filter(text -> !text.isBlank());
  }
}
