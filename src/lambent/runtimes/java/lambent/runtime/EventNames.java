package lambent.runtime;

import java.util.HashMap;
import java.util.Locale;
import java.util.Map;

/** The names that the properties of AWS's event classes have in events. */
final class EventNames {
    /** By class; `*` matches names that start with a capital letter. */
    private static final Map<String, Map<String, String>> NAMES = new HashMap<>();

    static {
        for (String type : new String[] {
            "CloudFrontEvent", "CodeCommitEvent", "DynamodbEvent", "KinesisEvent", "SESEvent", "SQSEvent",
        }) {
            names(Style.EVENT + type, "records", "Records");
        }
        for (String type : new String[] {
            "ConnectEvent", "ConnectEvent$Details", "ConnectEvent$CustomerEndpoint", "ConnectEvent$SystemEndpoint",
            "ConnectEvent$Queue", "SecretsManagerRotationEvent", "models.dynamodb.StreamRecord", "SNSEvent",
            "SNSEvent$SNS", "SNSEvent$MessageAttribute", "CodePipelineEvent$Configuration",
        }) {
            names(Style.EVENT + type, "*", "*");
        }
        names(Style.EVENT + "CloudFormationCustomResourceEvent", "*", "*", "responseUrl", "ResponseURL");
        names(Style.EVENT + "CloudWatchLogsEvent", "awsLogs", "awslogs");
        names(Style.EVENT + "CodeCommitEvent$Record", "codeCommit", "codecommit", "eventSourceArn", "eventSourceARN",
                "userIdentityArn", "userIdentityARN");
        names(Style.EVENT + "CodePipelineEvent", "codePipelineJob", "CodePipeline.job");
        names(Style.EVENT + "ConnectEvent$ContactData", "*", "*", "instanceArn", "InstanceARN");
        names(Style.EVENT + "DynamodbEvent$DynamodbStreamRecord", "eventSourceArn", "eventSourceARN");
        names(Style.EVENT + "DynamodbTimeWindowEvent", "records", "Records", "eventSourceArn", "eventSourceARN");
        names(Style.EVENT + "KinesisTimeWindowEvent", "records", "Records", "eventSourceArn", "eventSourceARN");
        names(Style.EVENT + "ScheduledEvent", "detailType", "detail-type");
        names(Style.EVENT + "SNSEvent$SNSRecord", "*", "*", "SNS", "Sns");
        names(Style.EVENT + "SQSEvent$SQSMessage", "eventSourceArn", "eventSourceARN");
        names(Style.EVENT + "models.dynamodb.AttributeValue", "*", "*");
        names("com.amazonaws.services.dynamodbv2.model.AttributeValue", "*", "*");
        names("com.amazonaws.services.dynamodbv2.model.StreamRecord", "*", "*");
        names(Style.EVENT + "S3Event", "records", "Records");
        for (String prefix : Style.S3_PREFIXES) {
            names(prefix, "records", "Records");
            names(prefix + "$ResponseElementsEntity", "xAmzId2", "x-amz-id-2", "xAmzRequestId", "x-amz-request-id");
        }
    }

    private EventNames() {}

    static String name(String type, String property) {
        Map<String, String> names = NAMES.get(type);
        if (names == null) {
            return property;
        }
        String name = names.get(property);
        if (name == null && names.containsKey("*")) {
            return property.substring(0, 1).toUpperCase(Locale.ROOT) + property.substring(1);
        }
        return name == null ? property : name;
    }

    private static void names(String type, String... pairs) {
        Map<String, String> names = new HashMap<>();
        for (int at = 0; at < pairs.length; at += 2) {
            names.put(pairs[at], pairs[at + 1]);
        }
        NAMES.put(type, names);
    }
}
