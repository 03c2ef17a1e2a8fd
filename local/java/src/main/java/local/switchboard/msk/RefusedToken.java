package local.switchboard.msk;

/** Why a token does not let anybody in; the reason is for the broker's log and holds nothing of the token. */
final class RefusedToken extends Exception {
  RefusedToken(String reason) {
    super(reason);
  }
}
