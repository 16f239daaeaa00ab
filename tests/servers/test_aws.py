"""Behavior that the tests of queues and streams rely on, shown on each server."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.platforms import wait_for
from tests.servers.kinesis import Kinesis
from tests.servers.ministack import Ministack, aws_client


def test_sqs_hides_what_is_received_and_locks_groups(ministack: Ministack) -> None:
    """A received message is delivered again after its visibility timeout; a FIFO queue holds back a
    group while one of its messages is processed, and no other group."""
    sqs = ministack.client("sqs")
    url = sqs.create_queue(QueueName="plain", Attributes={"VisibilityTimeout": "1"})["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="hello")

    def receive(queue: str) -> list[dict[str, str]]:
        answer = sqs.receive_message(
            QueueUrl=queue,
            MaxNumberOfMessages=10,
            MessageSystemAttributeNames=["ApproximateReceiveCount"],
        )
        return list(answer.get("Messages", []))

    assert [message["Body"] for message in receive(url)] == ["hello"]
    assert receive(url) == []
    (again,) = wait_for(lambda: receive(url), "the message comes again", 5)
    assert again["Attributes"]["ApproximateReceiveCount"] == "2"

    fifo = sqs.create_queue(
        QueueName="ordered.fifo",
        Attributes={"FifoQueue": "true", "ContentBasedDeduplication": "true"},
    )["QueueUrl"]
    sqs.send_message(QueueUrl=fifo, MessageBody="a1", MessageGroupId="a")
    (first,) = receive(fifo)
    sqs.send_message(QueueUrl=fifo, MessageBody="a2", MessageGroupId="a")
    sqs.send_message(QueueUrl=fifo, MessageBody="b1", MessageGroupId="b")
    assert [message["Body"] for message in receive(fifo)] == ["b1"]
    sqs.delete_message(QueueUrl=fifo, ReceiptHandle=first["ReceiptHandle"])
    assert [message["Body"] for message in receive(fifo)] == ["a2"]


def test_dynamodb_streams_have_what_changed(ministack: Ministack) -> None:
    """Each change is a record with the images before and after it, in order."""
    dynamodb = ministack.client("dynamodb")
    table = dynamodb.create_table(
        TableName="things",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )["TableDescription"]
    key = {"id": {"S": "1"}}
    dynamodb.put_item(TableName="things", Item={**key, "n": {"N": "1"}})
    dynamodb.put_item(TableName="things", Item={**key, "n": {"N": "2"}})
    dynamodb.delete_item(TableName="things", Key=key)

    streams = ministack.client("dynamodbstreams")
    stream = table["LatestStreamArn"]
    (shard,) = streams.describe_stream(StreamArn=stream)["StreamDescription"]["Shards"]
    iterator = streams.get_shard_iterator(
        StreamArn=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    records = streams.get_records(ShardIterator=iterator)["Records"]
    assert [record["eventName"] for record in records] == ["INSERT", "MODIFY", "REMOVE"]
    assert records[1]["dynamodb"]["OldImage"]["n"] == {"N": "1"}
    assert records[1]["dynamodb"]["NewImage"]["n"] == {"N": "2"}


def test_ministack_keeps_queues_over_a_restart() -> None:
    """A server that was stopped has its messages after a restart, on the same port."""
    with Ministack() as server:
        sqs = server.client("sqs")
        url = sqs.create_queue(QueueName="kept")["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody="hello")
        server.stop()
        server.start()
        assert sqs.receive_message(QueueUrl=url)["Messages"][0]["Body"] == "hello"


def test_ministack_tells_where_brokers_are() -> None:
    """MSK's clusters have the configured bootstrap servers; Amazon MQ's brokers can be described,
    and their secrets read."""
    with Ministack(MINISTACK_MSK_BOOTSTRAP_SASL_SCRAM="127.0.0.1:9096") as server:
        kafka = server.client("kafka")
        cluster = kafka.create_cluster(
            ClusterName="events",
            BrokerNodeGroupInfo={"ClientSubnets": ["subnet-1"], "InstanceType": "kafka.t3.small"},
            KafkaVersion="3.6.0",
            NumberOfBrokerNodes=1,
        )["ClusterArn"]
        brokers = kafka.get_bootstrap_brokers(ClusterArn=cluster)
        assert brokers["BootstrapBrokerStringSaslScram"] == "127.0.0.1:9096"

        mq = server.client("mq")
        broker = mq.create_broker(
            BrokerName="rabbits",
            EngineType="RABBITMQ",
            EngineVersion="3.13",
            HostInstanceType="mq.m5.large",
            DeploymentMode="SINGLE_INSTANCE",
            PubliclyAccessible=False,
            AutoMinorVersionUpgrade=True,
            Users=[{"Username": "alice", "Password": "secret-secret"}],
        )
        server.move_broker(broker["BrokerId"], ["amqps://127.0.0.1:1234"])
        described = mq.describe_broker(BrokerId=broker["BrokerId"])
        assert described["EngineType"].upper() == "RABBITMQ"
        assert described["BrokerInstances"][0]["Endpoints"] == ["amqps://127.0.0.1:1234"]

        secrets = server.client("secretsmanager")
        login = json.dumps({"username": "alice", "password": "secret"})
        made = secrets.create_secret(Name="login", SecretString=login)["ARN"]
        assert secrets.get_secret_value(SecretId=made)["SecretString"] == login


def test_kinesis_fans_out(ministack: Ministack) -> None:
    """An enhanced fan-out consumer receives the records of a shard."""
    kinesis = ministack.client("kinesis")
    kinesis.create_stream(StreamName="wide", ShardCount=1)
    stream = kinesis.describe_stream_summary(StreamName="wide")["StreamDescriptionSummary"]
    made = kinesis.register_stream_consumer(StreamARN=stream["StreamARN"], ConsumerName="one")
    consumer = made["Consumer"]["ConsumerARN"]

    def is_active() -> bool:
        described = kinesis.describe_stream_consumer(ConsumerARN=consumer)
        return bool(described["ConsumerDescription"]["ConsumerStatus"] == "ACTIVE")

    wait_for(is_active, "the consumer is active")
    kinesis.put_record(StreamName="wide", Data=b"hello", PartitionKey="k")
    (shard,) = kinesis.list_shards(StreamName="wide")["Shards"]
    events = kinesis.subscribe_to_shard(
        ConsumerARN=consumer,
        ShardId=shard["ShardId"],
        StartingPosition={"Type": "TRIM_HORIZON"},
    )["EventStream"]
    pushed = next(event for event in events if event["SubscribeToShardEvent"]["Records"])
    events.close()
    assert pushed["SubscribeToShardEvent"]["Records"][0]["Data"] == b"hello"


def test_sns_and_s3_notify_queues(ministack: Ministack) -> None:
    """A queue receives what is published to a topic or stored in a bucket."""
    sqs, sns, s3 = (ministack.client(name) for name in ("sqs", "sns", "s3"))
    url = sqs.create_queue(QueueName="told")["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    queue = attributes["Attributes"]["QueueArn"]
    topic = sns.create_topic(Name="news")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    sns.publish(TopicArn=topic, Message="hello")
    messages = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"]
    assert json.loads(messages[0]["Body"])["Message"] == "hello"

    url = sqs.create_queue(QueueName="stored")["QueueUrl"]
    s3.create_bucket(Bucket="things")
    s3.put_bucket_notification_configuration(
        Bucket="things",
        NotificationConfiguration={
            "QueueConfigurations": [
                {"QueueArn": queue.replace("told", "stored"), "Events": ["s3:ObjectCreated:*"]}
            ]
        },
    )
    s3.put_object(Bucket="things", Key="one", Body=b"1")

    def records() -> list[dict[str, str]]:
        found = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", [])
        return [
            record for message in found for record in json.loads(message["Body"]).get("Records", [])
        ]

    assert wait_for(records, "the queue is told")[0]["eventName"] == "ObjectCreated:Put"


def test_kinesis_splits_shards(kinesis: Kinesis) -> None:
    """A record is in the shard of its key's hash; a split shard is closed, can be read to its end,
    and names its children."""
    client = kinesis.client()
    client.create_stream(StreamName="two", ShardCount=2)

    def shards() -> list[dict[str, Any]]:
        is_active = client.describe_stream_summary(StreamName="two")["StreamDescriptionSummary"]
        if is_active["StreamStatus"] != "ACTIVE":
            return []
        return list(client.list_shards(StreamName="two")["Shards"])

    first, second = wait_for(shards, "the stream is active")
    for shard, data in ((first, b"one"), (second, b"two")):
        client.put_record(
            StreamName="two",
            Data=data,
            PartitionKey="any",
            ExplicitHashKey=shard["HashKeyRange"]["StartingHashKey"],
        )

    def read(shard: dict[str, Any]) -> tuple[list[bytes], dict[str, Any]]:
        iterator = client.get_shard_iterator(
            StreamName="two", ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        answer = client.get_records(ShardIterator=iterator)
        return [record["Data"] for record in answer["Records"]], answer

    assert read(first)[0] == [b"one"]
    assert read(second)[0] == [b"two"]
    middle = int(first["HashKeyRange"]["EndingHashKey"]) // 2
    client.split_shard(
        StreamName="two", ShardToSplit=first["ShardId"], NewStartingHashKey=str(middle)
    )
    wait_for(lambda: len(shards()) == 4, "the shard is split")
    children = [shard for shard in shards() if shard.get("ParentShardId") == first["ShardId"]]
    data, answer = read(first)
    assert data == [b"one"]
    assert "NextShardIterator" not in answer
    assert {child_shard["ShardId"] for child_shard in answer["ChildShards"]} == {
        shard["ShardId"] for shard in children
    }


def test_kinesis_keeps_streams_over_a_crash() -> None:
    """What it had saved is there after kill -9, on the same port."""
    with Kinesis() as server:
        client = server.client()
        client.create_stream(StreamName="kept", ShardCount=1)
        wait_for(lambda: client.list_shards(StreamName="kept")["Shards"], "there is a shard")
        server.save()
        server.kill()
        server.start()
        assert client.list_streams()["StreamNames"] == ["kept"]


def test_the_strict_front_refuses_what_aws_refuses(ministack: Ministack) -> None:
    """It forwards all other requests."""
    sqs, sns, events = (
        aws_client(name, ministack.strict_endpoint) for name in ("sqs", "sns", "events")
    )
    url = sqs.create_queue(QueueName="strict")["QueueUrl"]
    topic = sns.create_topic(Name="strict")["TopicArn"]
    empty = {"DataType": "String", "StringValue": ""}
    entry = {"Source": "s", "DetailType": "d", "Detail": "{}", "TraceHeader": "x" * 501}
    message = {"QueueUrl": url, "MessageBody": "m"}
    for parameters, code in (
        ({"MessageSystemAttributes": {"AWSTraceHeader": empty}}, "InvalidParameterValue"),
        ({"MessageAttributes": {"a": empty}}, "InvalidParameterValue"),
        ({"MessageBody": "\x1b"}, "InvalidMessageContents"),
    ):
        with pytest.raises(ClientError, match=code):
            sqs.send_message(**{**message, **parameters})
    with pytest.raises(ClientError, match="InvalidParameterValue"):
        sqs.receive_message(QueueUrl=url, WaitTimeSeconds=21)
    with pytest.raises(ClientError):
        sns.publish(TopicArn=topic, Message="m", MessageAttributes={"a": empty})
    with pytest.raises(ClientError):
        events.put_events(Entries=[entry])
    header = {"DataType": "String", "StringValue": "Root=1-5759e988-bd862e3fe1be46a994272793"}
    sqs.send_message(**message, MessageSystemAttributes={"AWSTraceHeader": header})
    sns.publish(TopicArn=topic, Message="m")
    (received,) = sqs.receive_message(QueueUrl=url)["Messages"]
    assert received["Body"] == "m"
