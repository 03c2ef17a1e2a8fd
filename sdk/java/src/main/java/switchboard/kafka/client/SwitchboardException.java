package switchboard.kafka.client;

import java.io.IOException;
import java.time.Duration;
import java.util.Optional;

/** Switchboard said no, or could not be asked. No token is ever part of it. */
public final class SwitchboardException extends IOException {
  private final String code;
  private final boolean isRetryable;
  private final transient Optional<Duration> retryAfter;

  SwitchboardException(String code, String message, boolean isRetryable, Optional<Duration> retryAfter) {
    super(message);
    this.code = code;
    this.isRetryable = isRetryable;
    this.retryAfter = retryAfter;
  }

  /** The contract's ({@code access_denied}, {@code unauthenticated}, ...), or {@code request_failed}, {@code malformed_answer}, {@code unsupported}, {@code unknown_cluster}. */
  public String code() {
    return code;
  }

  /** Whether the same request can succeed later. */
  public boolean isRetryable() {
    return isRetryable;
  }

  Optional<Duration> retryAfter() {
    return retryAfter == null ? Optional.empty() : retryAfter;
  }
}
