package local.switchboard.msk;

import java.net.URI;
import java.net.URLDecoder;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeParseException;
import java.util.Base64;
import java.util.HexFormat;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * The token of a client of MSK: a presigned URL for {@code kafka-cluster:Connect}, in base64url without padding.
 *
 * <p>See "Authenticating requests: using query parameters (AWS Signature Version 4)" and the signers that AWS publishes
 * for MSK, which append {@code User-Agent} after they have signed.
 */
record PresignedConnect(
    String accessKeyId, String securityToken, Instant signedAt, Instant end, Scope scope, String stringToSign, String signature) {

  /** Where a signature counts: the day and the region of its key. */
  record Scope(String date, String region) {
    String text() {
      return date + "/" + region + "/" + service + "/aws4_request";
    }
  }

  private static final String service = "kafka-cluster";
  private static final String algorithm = "AWS4-HMAC-SHA256";
  private static final Duration longestLife = Duration.ofMinutes(15);
  private static final Set<String> unsigned = Set.of("X-Amz-Signature", "User-Agent");
  private static final DateTimeFormatter basicTime = DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmss'Z'").withZone(ZoneOffset.UTC);

  /** Reads a token for brokers of this region, and checks everything but whose it is, when it is and its signature. */
  static PresignedConnect parse(String token, String region) throws RefusedToken {
    URI url = urlOf(token);
    String host = "kafka." + region + (region.startsWith("cn-") ? ".amazonaws.com.cn" : ".amazonaws.com");
    require("https".equals(url.getScheme()), "its scheme is not https");
    require(host.equals(url.getRawAuthority()), "it is for another host than " + host);
    require("/".equals(url.getRawPath()) && url.getRawFragment() == null, "its path is not /");
    Map<String, String> query = queryOf(url.getRawQuery());
    require("kafka-cluster:Connect".equals(query.get("Action")), "its action is not kafka-cluster:Connect");
    require(algorithm.equals(query.get("X-Amz-Algorithm")), "its algorithm is not " + algorithm);
    require("host".equals(query.get("X-Amz-SignedHeaders")), "its signed headers are not host alone");
    Instant signedAt = timeOf(query.getOrDefault("X-Amz-Date", ""));
    String seconds = query.getOrDefault("X-Amz-Expires", "");
    require(seconds.matches("[1-9][0-9]{0,2}"), "X-Amz-Expires is not a whole number of seconds from 1 to 900");
    Duration life = Duration.ofSeconds(Long.parseLong(seconds));
    require(life.compareTo(longestLife) <= 0, "X-Amz-Expires is not a whole number of seconds from 1 to 900");
    String[] credential = query.getOrDefault("X-Amz-Credential", "").split("/", -1);
    require(credential.length == 5, "X-Amz-Credential has not five parts");
    Scope scope = new Scope(credential[1], region);
    require(
        String.join("/", credential).equals(credential[0] + "/" + scope.text()),
        "its credential is scoped to something else than " + region + "/" + service);
    require(basicTime.format(signedAt).startsWith(scope.date() + "T"), "X-Amz-Date is of another day than its credential");
    require(query.containsKey("X-Amz-Security-Token"), "it is not of a session");
    String signature = query.getOrDefault("X-Amz-Signature", "");
    require(signature.matches("[0-9a-f]{64}"), "it has no signature");
    return new PresignedConnect(
        credential[0],
        query.get("X-Amz-Security-Token"),
        signedAt,
        signedAt.plus(life),
        scope,
        stringToSign(host, query, scope),
        signature);
  }

  boolean isSignedWith(String secretAccessKey) {
    byte[] key = bytesOf("AWS4" + secretAccessKey);
    for (String part : new String[] {scope.date(), scope.region(), service, "aws4_request"}) key = hmac(key, part);
    byte[] expected = bytesOf(HexFormat.of().formatHex(hmac(key, stringToSign)));
    return MessageDigest.isEqual(expected, bytesOf(signature));
  }

  private static String stringToSign(String host, Map<String, String> query, Scope scope) {
    String canonicalQuery =
        query.entrySet().stream()
            .filter(entry -> !unsigned.contains(entry.getKey()))
            .map(entry -> encoded(entry.getKey()) + "=" + encoded(entry.getValue()))
            .sorted()
            .collect(Collectors.joining("&"));
    String request = String.join("\n", "GET", "/", canonicalQuery, "host:" + host, "", "host", sha256(""));
    return String.join("\n", algorithm, query.get("X-Amz-Date"), scope.text(), sha256(request));
  }

  private static URI urlOf(String token) throws RefusedToken {
    require(!token.contains("="), "it is padded");
    try {
      return URI.create(new String(Base64.getUrlDecoder().decode(token), StandardCharsets.US_ASCII));
    } catch (IllegalArgumentException error) {
      throw new RefusedToken("it is no URL in base64url");
    }
  }

  private static Map<String, String> queryOf(String query) throws RefusedToken {
    Map<String, String> found = new TreeMap<>();
    for (String pair : (query == null ? "" : query).split("&")) {
      String[] parts = pair.split("=", 2);
      String value = decoded(parts.length == 2 ? parts[1] : "");
      require(found.put(decoded(parts[0]), value) == null, "a parameter is there twice");
    }
    return found;
  }

  private static Instant timeOf(String text) throws RefusedToken {
    try {
      return Instant.from(basicTime.parse(text));
    } catch (DateTimeParseException error) {
      throw new RefusedToken("X-Amz-Date is no time");
    }
  }

  private static String decoded(String text) throws RefusedToken {
    try {
      // in a URL a plus is a plus
      return URLDecoder.decode(text.replace("+", "%2B"), StandardCharsets.UTF_8);
    } catch (IllegalArgumentException error) {
      throw new RefusedToken("its query is not percent-encoded");
    }
  }

  private static String encoded(String text) {
    return URLEncoder.encode(text, StandardCharsets.UTF_8).replace("+", "%20").replace("*", "%2A").replace("%7E", "~");
  }

  private static void require(boolean holds, String reason) throws RefusedToken {
    if (!holds) throw new RefusedToken(reason);
  }

  private static byte[] bytesOf(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private static String sha256(String text) {
    try {
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytesOf(text)));
    } catch (GeneralSecurityException error) {
      throw new IllegalStateException(error);
    }
  }

  private static byte[] hmac(byte[] key, String text) {
    try {
      Mac mac = Mac.getInstance("HmacSHA256");
      mac.init(new SecretKeySpec(key, "HmacSHA256"));
      return mac.doFinal(bytesOf(text));
    } catch (GeneralSecurityException error) {
      throw new IllegalStateException(error);
    }
  }
}
