package local.switchboard.msk;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/** The sessions that the launcher of the emulator notes, one a line; what was added is read when it is asked for. */
final class SimulatedSessions {
  private final Path file;
  private final ObjectMapper json = new ObjectMapper();
  private final Map<String, SimulatedSession> sessions = new ConcurrentHashMap<>();
  private long readUntil = 0;

  SimulatedSessions(Path file) {
    this.file = file;
  }

  Optional<SimulatedSession> find(String accessKeyId) throws IOException {
    SimulatedSession known = sessions.get(accessKeyId);
    if (known == null) readOn();
    return Optional.ofNullable(sessions.get(accessKeyId));
  }

  private synchronized void readOn() throws IOException {
    if (!Files.exists(file)) return;
    try (RandomAccessFile reader = new RandomAccessFile(file.toFile(), "r")) {
      reader.seek(readUntil);
      byte[] bytes = new byte[(int) (reader.length() - readUntil)];
      reader.readFully(bytes);
      String added = new String(bytes, StandardCharsets.UTF_8);
      // half a line is one that is being written
      int end = added.lastIndexOf('\n') + 1;
      for (String line : added.substring(0, end).split("\n")) {
        if (line.isBlank()) continue;
        SimulatedSession session = SimulatedSession.of(json.readTree(line));
        sessions.put(session.accessKeyId(), session);
      }
      readUntil += added.substring(0, end).getBytes(StandardCharsets.UTF_8).length;
    }
  }
}
