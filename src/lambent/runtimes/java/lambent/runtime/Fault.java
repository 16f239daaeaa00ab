package lambent.runtime;

/** A function that cannot run, or an event that does not fit it, with AWS's texts. */
final class Fault extends RuntimeException {
    private static final long serialVersionUID = 1;

    /** The type of the error that callers receive; null for none. */
    final String type;

    Fault(String message, String type, Throwable cause) {
        super(message, cause);
        this.type = type;
    }

    @Override
    public String toString() {
        return type == null ? getMessage() : type + ": " + getMessage();
    }
}
