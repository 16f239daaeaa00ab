package example;

import com.amazonaws.services.lambda.runtime.events.CloudFormationCustomResourceEvent;
import com.amazonaws.services.lambda.runtime.events.CloudWatchLogsEvent;
import com.amazonaws.services.lambda.runtime.events.CodeCommitEvent;
import com.amazonaws.services.lambda.runtime.events.ConnectEvent;
import com.amazonaws.services.lambda.runtime.events.DynamodbEvent;
import com.amazonaws.services.lambda.runtime.events.KinesisEvent;
import com.amazonaws.services.lambda.runtime.events.S3Event;
import com.amazonaws.services.lambda.runtime.events.SNSEvent;
import com.amazonaws.services.lambda.runtime.events.SQSEvent;
import com.amazonaws.services.lambda.runtime.events.ScheduledEvent;
import com.amazonaws.services.lambda.runtime.events.SecretsManagerRotationEvent;
import java.util.Map;

/** Events of AWS's classes that come back as they went, if both ways are right. */
public class Events {
    public SQSEvent sqs(SQSEvent event) {
        return event;
    }

    public SNSEvent sns(SNSEvent event) {
        return event;
    }

    public S3Event s3(S3Event event) {
        return event;
    }

    public KinesisEvent kinesis(KinesisEvent event) {
        return event;
    }

    public DynamodbEvent dynamodb(DynamodbEvent event) {
        return event;
    }

    public ScheduledEvent scheduled(ScheduledEvent event) {
        return event;
    }

    public ConnectEvent connect(ConnectEvent event) {
        return event;
    }

    public CodeCommitEvent codeCommit(CodeCommitEvent event) {
        return event;
    }

    public CloudWatchLogsEvent logs(CloudWatchLogsEvent event) {
        return event;
    }

    public CloudFormationCustomResourceEvent resource(CloudFormationCustomResourceEvent event) {
        return event;
    }

    public SecretsManagerRotationEvent rotation(SecretsManagerRotationEvent event) {
        return event;
    }

    /** Within something else the names are those of the class. */
    public Map<String, Object> inside(SQSEvent event) {
        return Map.of("event", event);
    }
}
