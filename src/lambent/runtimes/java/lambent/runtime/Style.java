package lambent.runtime;

import java.util.HashMap;
import java.util.Locale;
import java.util.Map;

/**
 * How classes and JSON belong together. Plain classes follow the names of their methods. AWS's own
 * event classes, when one is what a handler takes or gives, have names that Java's do not tell,
 * and dates in seconds.
 */
final class Style {
    static final Style PLAIN = new Style(false);
    private static final Style EVENTS = new Style(true);

    private static final String EVENT = "com.amazonaws.services.lambda.runtime.events.";
    private static final String S3 = "S3EventNotification";
    private static final String[] S3_PREFIXES = {EVENT + "models.s3." + S3, "com.amazonaws.services.s3.event." + S3};
    private static final String[] ROOTS = {
        "APIGatewayProxyRequestEvent", "APIGatewayProxyResponseEvent", "CloudFormationCustomResourceEvent",
        "CloudFrontEvent", "CloudWatchLogsEvent", "CodeCommitEvent", "CodePipelineEvent", "CognitoEvent",
        "ConfigEvent", "ConnectEvent", "DynamodbEvent", "DynamodbTimeWindowEvent", "IoTButtonEvent", "KinesisEvent",
        "KinesisTimeWindowEvent", "KinesisFirehoseEvent", "LambdaDestinationEvent", "LexEvent", "S3Event",
        "ScheduledEvent", "SecretsManagerRotationEvent", "SESEvent", "SNSEvent", "SQSEvent",
    };
    /** By class; `*` stands for names that begin with a capital. */
    private static final Map<String, Map<String, String>> NAMES = new HashMap<>();

    static {
        for (String type : new String[] {
            "CloudFrontEvent", "CodeCommitEvent", "DynamodbEvent", "KinesisEvent", "SESEvent", "SQSEvent",
        }) {
            names(EVENT + type, "records", "Records");
        }
        for (String type : new String[] {
            "ConnectEvent", "ConnectEvent$Details", "ConnectEvent$CustomerEndpoint", "ConnectEvent$SystemEndpoint",
            "ConnectEvent$Queue", "SecretsManagerRotationEvent", "models.dynamodb.StreamRecord", "SNSEvent",
            "SNSEvent$SNS", "SNSEvent$MessageAttribute", "CodePipelineEvent$Configuration",
        }) {
            names(EVENT + type, "*", "*");
        }
        names(EVENT + "CloudFormationCustomResourceEvent", "*", "*", "responseUrl", "ResponseURL");
        names(EVENT + "CloudWatchLogsEvent", "awsLogs", "awslogs");
        names(EVENT + "CodeCommitEvent$Record", "codeCommit", "codecommit", "eventSourceArn", "eventSourceARN",
                "userIdentityArn", "userIdentityARN");
        names(EVENT + "CodePipelineEvent", "codePipelineJob", "CodePipeline.job");
        names(EVENT + "ConnectEvent$ContactData", "*", "*", "instanceArn", "InstanceARN");
        names(EVENT + "DynamodbEvent$DynamodbStreamRecord", "eventSourceArn", "eventSourceARN");
        names(EVENT + "DynamodbTimeWindowEvent", "records", "Records", "eventSourceArn", "eventSourceARN");
        names(EVENT + "KinesisTimeWindowEvent", "records", "Records", "eventSourceArn", "eventSourceARN");
        names(EVENT + "ScheduledEvent", "detailType", "detail-type");
        names(EVENT + "SNSEvent$SNSRecord", "*", "*", "SNS", "Sns");
        names(EVENT + "SQSEvent$SQSMessage", "eventSourceArn", "eventSourceARN");
        names(EVENT + "models.dynamodb.AttributeValue", "*", "*");
        names("com.amazonaws.services.dynamodbv2.model.AttributeValue", "*", "*");
        names("com.amazonaws.services.dynamodbv2.model.StreamRecord", "*", "*");
        names(EVENT + "S3Event", "records", "Records");
        for (String prefix : S3_PREFIXES) {
            names(prefix, "records", "Records");
            names(prefix + "$ResponseElementsEntity", "xAmzId2", "x-amz-id-2", "xAmzRequestId", "x-amz-request-id");
        }
    }

    /** Whether this is that of AWS's event classes: dates are in seconds, Joda's times are texts. */
    final boolean isOfEvents;

    private Style(boolean isOfEvents) {
        this.isOfEvents = isOfEvents;
    }

    /** The style of what a handler takes or gives. */
    static Style of(Class<?> root) {
        String name = root.getName();
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

    /** How the property of a class is called in JSON. */
    String name(Class<?> type, String property) {
        Map<String, String> names = isOfEvents ? NAMES.get(type.getName()) : null;
        if (names == null) {
            return property;
        }
        String name = names.get(property);
        if (name == null && names.containsKey("*")) {
            return property.substring(0, 1).toUpperCase(Locale.ROOT) + property.substring(1);
        }
        return name == null ? property : name;
    }

    /** Whether the class is read and written by its fields: it has no setters, and texts for times. */
    boolean usesFields(Class<?> type) {
        String name = type.getName();
        return isOfEvents && (name.equals(EVENT + "S3Event") || name.startsWith(S3_PREFIXES[0])
                || name.startsWith(S3_PREFIXES[1]));
    }

    /** Whether a class is the time of the Joda library, whose inside is no JSON. */
    boolean isJodaTime(Class<?> type) {
        return isOfEvents && type.getName().equals("org.joda.time.DateTime");
    }

    private static void names(String type, String... pairs) {
        Map<String, String> names = new HashMap<>();
        for (int at = 0; at < pairs.length; at += 2) {
            names.put(pairs[at], pairs[at + 1]);
        }
        NAMES.put(type, names);
    }
}
