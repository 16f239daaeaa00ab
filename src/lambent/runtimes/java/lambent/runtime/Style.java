package lambent.runtime;

/**
 * How classes map to JSON. Plain classes use the names of their methods. AWS's own
 * event classes, as parameter or result of a handler, have names that differ from Java's,
 * and dates in seconds.
 */
final class Style {
    static final Style PLAIN = new Style(false);
    private static final Style EVENTS = new Style(true);

    static final String EVENT = "com.amazonaws.services.lambda.runtime.events.";
    private static final String S3 = "S3EventNotification";
    static final String[] S3_PREFIXES = {EVENT + "models.s3." + S3, "com.amazonaws.services.s3.event." + S3};
    private static final String[] ROOTS = {
        "APIGatewayProxyRequestEvent", "APIGatewayProxyResponseEvent", "CloudFormationCustomResourceEvent",
        "CloudFrontEvent", "CloudWatchLogsEvent", "CodeCommitEvent", "CodePipelineEvent", "CognitoEvent",
        "ConfigEvent", "ConnectEvent", "DynamodbEvent", "DynamodbTimeWindowEvent", "IoTButtonEvent", "KinesisEvent",
        "KinesisTimeWindowEvent", "KinesisFirehoseEvent", "LambdaDestinationEvent", "LexEvent", "S3Event",
        "ScheduledEvent", "SecretsManagerRotationEvent", "SESEvent", "SNSEvent", "SQSEvent",
    };
    /** Whether this is the style of AWS's event classes: dates in seconds, Joda's times as text. */
    final boolean isOfEvents;

    private Style(boolean isOfEvents) {
        this.isOfEvents = isOfEvents;
    }

    /** The style of a handler's parameter or result. */
    static Style of(Class<?> root) {
        String name = root.getName();
        if (!name.startsWith("com.amazonaws.services.")) {
            return PLAIN;
        }
        if (name.equals(S3_PREFIXES[0]) || name.equals(S3_PREFIXES[1])) {
            return EVENTS;
        }
        for (String type : ROOTS) {
            if (name.equals(EVENT + type)) {
                return EVENTS;
            }
        }
        return PLAIN;
    }

    /** The name of a class's property in JSON. */
    String name(Class<?> type, String property) {
        return isOfEvents ? EventNames.name(type.getName(), property) : property;
    }

    /** Whether the class is read and written by its fields: no setters, and times as text. */
    boolean usesFields(Class<?> type) {
        String name = type.getName();
        return isOfEvents && (name.equals(EVENT + "S3Event") || name.startsWith(S3_PREFIXES[0])
                || name.startsWith(S3_PREFIXES[1]));
    }

    /** Whether a class is a time of the Joda library, whose fields are not written as JSON. */
    boolean isJodaTime(Class<?> type) {
        return isOfEvents && type.getName().equals("org.joda.time.DateTime");
    }
}
