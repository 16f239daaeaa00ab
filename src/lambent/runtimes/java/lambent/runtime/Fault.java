package lambent.runtime;

/** A function that cannot be run, or an event that does not fit it, in AWS's words. */
final class Fault extends RuntimeException {
    private static final long serialVersionUID = 1;

    /** What callers are told the error's type is; null for none. */
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
