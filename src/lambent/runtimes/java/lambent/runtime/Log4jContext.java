package lambent.runtime;

/** The context map of the function's own Log4j, version 1 or 2, which its log lines can show. */
final class Log4jContext {
    private Log4jContext() {}

    static void put(String name, String value) {
        put("org.apache.log4j.MDC", Object.class, name, value);
        put("org.apache.logging.log4j.ThreadContext", String.class, name, value);
    }

    private static void put(String type, Class<?> valueType, String name, String value) {
        try {
            Class.forName(type, true, Thread.currentThread().getContextClassLoader())
                    .getMethod("put", String.class, valueType)
                    .invoke(null, name, value);
        } catch (ReflectiveOperationException | LinkageError error) {
            return; // The function does not have this version.
        }
    }
}
