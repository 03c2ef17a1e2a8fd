package local.switchboard.confluent;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import javax.security.auth.callback.Callback;
import javax.security.auth.callback.NameCallback;
import javax.security.auth.login.AppConfigurationEntry;
import javax.security.auth.login.AppConfigurationEntry.LoginModuleControlFlag;
import org.apache.kafka.common.security.plain.PlainAuthenticateCallback;
import org.apache.kafka.common.security.plain.PlainLoginModule;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SimulatedConfluentKeyLoginTest {
  private static final String keys =
      """
      [{ "key": "WORKS", "secret": "right", "owner": "sa-1", "worksFrom": 0 },
       { "key": "LATER", "secret": "right", "owner": "sa-1", "worksFrom": 9e15 },
       { "key": "LEAVING", "secret": "right", "owner": "sa-2", "worksFrom": 0, "worksUntil": 9e15 },
       { "key": "GONE", "secret": "right", "owner": "sa-2", "worksFrom": 0, "worksUntil": 1 }]
      """;

  @TempDir Path folder;

  private boolean letsIn(String key, String secret) throws Exception {
    SimulatedConfluentKeyLogin login = new SimulatedConfluentKeyLogin();
    login.configure(
        Map.of(ApiKeys.fileConfig, folder.resolve("keys.json").toString()),
        "PLAIN",
        List.of(new AppConfigurationEntry(
            PlainLoginModule.class.getName(), LoginModuleControlFlag.REQUIRED, Map.of("user_OWNER", "of the listener"))));
    NameCallback name = new NameCallback("username: ", key);
    PlainAuthenticateCallback answer = new PlainAuthenticateCallback(secret.toCharArray());
    login.handle(new Callback[] {name, answer});
    return answer.authenticated();
  }

  private void write() throws IOException {
    Files.writeString(folder.resolve("keys.json"), keys);
  }

  @Test
  void letsInAKeyWithItsSecretAndWithNoOther() throws Exception {
    write();
    assertTrue(letsIn("WORKS", "right"));
    assertFalse(letsIn("WORKS", "wrong"));
    assertFalse(letsIn("WORKS", ""));
    assertFalse(letsIn("UNKNOWN", "right"));
  }

  @Test
  void letsInNoKeyBeforeItHasReachedTheBrokersNorAfterItHasLeft() throws Exception {
    write();
    assertFalse(letsIn("LATER", "right"));
    assertTrue(letsIn("LEAVING", "right"));
    assertFalse(letsIn("GONE", "right"));
  }

  @Test
  void letsInWhomTheListenerItselfHasAlsoWithoutAFile() throws Exception {
    assertTrue(letsIn("OWNER", "of the listener"));
    assertFalse(letsIn("OWNER", "right"));
    write();
    assertTrue(letsIn("OWNER", "of the listener"));
  }

  @Test
  void knowsWhoseAKeyIsAsLongAsItIsNoted() throws Exception {
    write();
    ApiKeys noted = new ApiKeys(folder.resolve("keys.json"));
    assertEquals("sa-1", noted.ownerOf("WORKS").orElseThrow());
    assertEquals("sa-2", noted.ownerOf("GONE").orElseThrow());
    assertTrue(noted.ownerOf("OWNER").isEmpty());
  }
}
