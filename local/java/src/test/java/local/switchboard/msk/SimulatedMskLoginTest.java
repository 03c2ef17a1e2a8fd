package local.switchboard.msk;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import javax.security.auth.callback.Callback;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerToken;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallback;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SimulatedMskLoginTest {
  /** Made by {@code @smithy/signature-v4} 5.7.5 with the session below, at {@link #signedAt}, for 900 seconds. */
  private static final String token =
      "aHR0cHM6Ly9rYWZrYS5ldS13ZXN0LTEuYW1hem9uYXdzLmNvbS8_QWN0aW9uPWthZmthLWNsdXN0ZXIlM0FDb25uZWN0JlgtQW16LVNlY3VyaXR5LVRva2VuPUZ3b0daWCUyRnRva2VuJTJCd2l0aCUzRGFsbCUyQW9mJTI4aXQlMjl-JlgtQW16LUFsZ29yaXRobT1BV1M0LUhNQUMtU0hBMjU2JlgtQW16LUNyZWRlbnRpYWw9QVNJQUVYQU1QTEUwMDAwMDAwMDElMkYyMDI2MTEyMSUyRmV1LXdlc3QtMSUyRmthZmthLWNsdXN0ZXIlMkZhd3M0X3JlcXVlc3QmWC1BbXotRGF0ZT0yMDI2MTEyMVQxMjAwMDBaJlgtQW16LUV4cGlyZXM9OTAwJlgtQW16LVNpZ25lZEhlYWRlcnM9aG9zdCZYLUFtei1TaWduYXR1cmU9Mjk5YmViMzI3N2JhYTg5NjdhNDRmNDg0MzQzYmI2ZDBlNWNhNmI2YzZiYTg2NzU0ZTFiZGNiNDM0MThkMzUyNyZVc2VyLUFnZW50PXZlY3Rvcg";

  /** The same for {@code cn-north-1}, whose host is in another domain. */
  private static final String chineseToken =
      "aHR0cHM6Ly9rYWZrYS5jbi1ub3J0aC0xLmFtYXpvbmF3cy5jb20uY24vP0FjdGlvbj1rYWZrYS1jbHVzdGVyJTNBQ29ubmVjdCZYLUFtei1TZWN1cml0eS1Ub2tlbj1Gd29HWlglMkZ0b2tlbiUyQndpdGglM0RhbGwlMkFvZiUyOGl0JTI5fiZYLUFtei1BbGdvcml0aG09QVdTNC1ITUFDLVNIQTI1NiZYLUFtei1DcmVkZW50aWFsPUFTSUFFWEFNUExFMDAwMDAwMDAxJTJGMjAyNjExMjElMkZjbi1ub3J0aC0xJTJGa2Fma2EtY2x1c3RlciUyRmF3czRfcmVxdWVzdCZYLUFtei1EYXRlPTIwMjYxMTIxVDEyMDAwMFomWC1BbXotRXhwaXJlcz05MDAmWC1BbXotU2lnbmVkSGVhZGVycz1ob3N0JlgtQW16LVNpZ25hdHVyZT1iNmVjZDVkN2E4YWQ2OWFlOTBjYmRmOGNkMmVjMzEwYWU0NjhiYmUzODU0YWVmZmYwM2YwNDIwMzMzMDM1OTA5JlVzZXItQWdlbnQ9dmVjdG9y";

  private static final String arn = "arn:aws:sts::000000000000:assumed-role/msk/sb.orders-api";
  private static final String cluster = "arn:aws:kafka:eu-west-1:000000000000:cluster/analytics/00000000-0000-0000-0000-000000000000-1";
  private static final String everything = "{\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}}";
  private static final Instant signedAt = Instant.parse("2026-11-21T12:00:00Z");

  @TempDir Path folder;
  private Path sessions;

  @BeforeEach
  void noteTheSession() throws Exception {
    sessions = folder.resolve("sessions.jsonl");
    note("ASIAEXAMPLE000000001", "secret/of+the=session", signedAt.plusSeconds(3_600), everything, "null");
  }

  private void note(String key, String secret, Instant end, String role, String passed) throws Exception {
    String line =
        """
        {"accessKeyId":"%s","secretAccessKey":"%s","sessionToken":"FwoGZX/token+with=all*of(it)~","expiration":%d,"arn":"%s","rolePolicies":[%s],"sessionPolicies":%s}
        """
            .formatted(key, secret, end.getEpochSecond(), arn, role, passed);
    Files.writeString(sessions, line, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
  }

  private OAuthBearerValidatorCallback shown(String token, Instant now) throws Exception {
    return shown(token, now, cluster);
  }

  private OAuthBearerValidatorCallback shown(String token, Instant now, String clusterArn) throws Exception {
    SimulatedMskLogin login = new SimulatedMskLogin(Clock.fixed(now, ZoneOffset.UTC));
    Map<String, ?> configs = Map.of(SimulatedMskLogin.sessionsFileConfig, sessions.toString(), SimulatedMskLogin.clusterArnConfig, clusterArn);
    login.configure(configs, OAuthBearerLoginModule.OAUTHBEARER_MECHANISM, List.of());
    OAuthBearerValidatorCallback callback = new OAuthBearerValidatorCallback(token);
    login.handle(new Callback[] {callback});
    return callback;
  }

  private void assertRefused(OAuthBearerValidatorCallback callback) {
    assertNull(callback.token());
    assertEquals("invalid_token", callback.errorStatus());
  }

  private static String changed(UnaryOperator<String> change) {
    String url = new String(Base64.getUrlDecoder().decode(token), StandardCharsets.US_ASCII);
    String other = change.apply(url);
    assertFalse(other.equals(url), "the change changes nothing");
    return Base64.getUrlEncoder().withoutPadding().encodeToString(other.getBytes(StandardCharsets.US_ASCII));
  }

  @Test
  void letsInWhoeverSignedWithTheSecretOfASession() throws Exception {
    OAuthBearerToken checked = shown(token, signedAt.plusSeconds(1)).token();
    assertEquals(arn, checked.principalName());
    assertEquals(signedAt.plusSeconds(900).toEpochMilli(), checked.lifetimeMs());
    assertFalse(checked.toString().contains(token.substring(0, 40)));
  }

  @Test
  void knowsTheHostOfEachPartition() throws Exception {
    String chinese = "arn:aws-cn:kafka:cn-north-1:000000000000:cluster/analytics/00000000-0000-0000-0000-000000000000-1";
    assertEquals(arn, shown(chineseToken, signedAt, chinese).token().principalName());
    assertRefused(shown(chineseToken, signedAt));
    assertRefused(shown(token, signedAt, chinese));
  }

  @ParameterizedTest
  @CsvSource({"899,true", "900,false", "-300,true", "-301,false"})
  void countsTheLifeOfATokenAndFiveMinutesOfAFastClock(long seconds, boolean isIn) throws Exception {
    assertEquals(isIn, shown(token, signedAt.plusSeconds(seconds)).token() != null);
  }

  @Test
  void endsTheTokenWithItsSession() throws Exception {
    Files.delete(sessions);
    note("ASIAEXAMPLE000000001", "secret/of+the=session", signedAt.plusSeconds(60), everything, "null");
    assertEquals(signedAt.plusSeconds(60).toEpochMilli(), shown(token, signedAt).token().lifetimeMs());
    assertRefused(shown(token, signedAt.plusSeconds(60)));
  }

  @Test
  void refusesAnotherSecretAndAnUnknownKey() throws Exception {
    Files.delete(sessions);
    assertRefused(shown(token, signedAt));
    note("ASIAEXAMPLE000000001", "another secret", signedAt.plusSeconds(3_600), everything, "null");
    assertRefused(shown(token, signedAt));
  }

  @Test
  void findsASessionThatWasNotedWhileTheBrokerRan() throws Exception {
    Files.delete(sessions);
    SimulatedSessions read = new SimulatedSessions(sessions);
    assertTrue(read.find("ASIAEXAMPLE000000001").isEmpty());
    note("ASIAEXAMPLE000000001", "secret/of+the=session", signedAt, everything, "null");
    Files.writeString(sessions, "{\"accessKeyId\":\"ASIAHALF", StandardOpenOption.APPEND);
    assertTrue(read.find("ASIAEXAMPLE000000001").isPresent());
  }

  @Test
  void refusesWhatIsSignedAndChanged() throws Exception {
    assertRefused(shown(changed(url -> url.replace("X-Amz-Expires=900", "X-Amz-Expires=899")), signedAt));
    assertRefused(shown(changed(url -> url.replace("X-Amz-Date=20261121T120000Z", "X-Amz-Date=20261121T120001Z")), signedAt));
    assertRefused(shown(changed(url -> url.replace("FwoGZX", "FwoGZY")), signedAt));
    assertRefused(shown(changed(url -> url.replace("&X-Amz-Signature=", "&extra=1&X-Amz-Signature=")), signedAt));
    assertRefused(shown(changed(url -> url.replace("X-Amz-Signature=2", "X-Amz-Signature=3")), signedAt));
  }

  @Test
  void takesAnyUserAgentForNobodySignsIt() throws Exception {
    assertEquals(arn, shown(changed(url -> url.replace("User-Agent=vector", "User-Agent=other")), signedAt).token().principalName());
    assertEquals(arn, shown(changed(url -> url.replace("&User-Agent=vector", "")), signedAt).token().principalName());
  }

  @ParameterizedTest
  @CsvSource({
    "https://, http://",
    "kafka.eu-west-1.amazonaws.com, kafka.eu-west-2.amazonaws.com",
    "kafka.eu-west-1.amazonaws.com, kafka.eu-west-1.amazonaws.com:443",
    "kafka.eu-west-1.amazonaws.com, user@kafka.eu-west-1.amazonaws.com",
    "/?, /other?",
    "kafka-cluster%3AConnect, kafka-cluster%3AWriteData",
    "AWS4-HMAC-SHA256, AWS4-HMAC-SHA512",
    "X-Amz-SignedHeaders=host, X-Amz-SignedHeaders=host%3Bx-other",
    "X-Amz-Expires=900, X-Amz-Expires=899.5",
    "X-Amz-Expires=900, X-Amz-Expires=901",
    "X-Amz-Expires=900, X-Amz-Expires=0",
    "X-Amz-Expires=900, X-Amz-Expires=+900",
    "%2Feu-west-1%2F, %2Feu-west-2%2F",
    "kafka-cluster%2Faws4, kafka%2Faws4",
    "%2F20261121%2F, %2F20261120%2F",
    "X-Amz-Security-Token, X-Amz-Other",
    "&User-Agent=vector, &Action=kafka-cluster%3AConnect",
    "&User-Agent=vector, &x=%zz",
  })
  void refusesWhatIsNoPresignedConnectForTheseBrokers(String from, String to) throws Exception {
    assertRefused(shown(changed(url -> url.replace(from, to)), signedAt));
  }

  @ParameterizedTest
  @ValueSource(strings = {"%", "bm90IGEgdXJs IA", "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln"})
  void refusesWhatIsNoUrlInBase64(String other) throws Exception {
    assertRefused(shown(other, signedAt));
    assertRefused(shown(token + "=", signedAt));
  }

  @Test
  void refusesASessionThatMayNotConnectToThisCluster() throws Exception {
    String elsewhere = everything.replace("\"Resource\":\"*\"", "\"Resource\":\"" + cluster.replace("analytics", "payments") + "\"");
    for (String passed : List.of("[]", "[" + elsewhere + "]", "[" + everything.replace("Allow", "Deny") + "," + everything + "]")) {
      Files.delete(sessions);
      note("ASIAEXAMPLE000000001", "secret/of+the=session", signedAt.plusSeconds(3_600), everything, passed);
      assertRefused(shown(token, signedAt));
    }
    Files.delete(sessions);
    note("ASIAEXAMPLE000000001", "secret/of+the=session", signedAt.plusSeconds(3_600), elsewhere, "[" + everything + "]");
    assertRefused(shown(token, signedAt));
  }
}
