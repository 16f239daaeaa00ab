"""The queue, the bucket and the topic of a project's function.toml call its function."""

import sys
from pathlib import Path

from tests.platforms import log_lines, wait_for

from .tools import Platform, Project

PROJECT = """
name = "triggered"
[functions.worker]
queue = "triggered-jobs"
bucket = "triggered-files"
topic = "triggered-news"
"""
WORKER = """
def handler(event, context):
    for record in event["Records"]:
        source = record.get("eventSource") or record.get("EventSource")
        print("called by", source)
"""


def test_each_calls_the_function(platform: Platform, tmp_path: Path) -> None:
    """One deployment makes all three and the permissions they need; a deletion removes them."""
    project = Project(tmp_path, platform)
    project.write(function__toml=PROJECT)
    (project.directory / "worker").mkdir()
    (project.directory / "worker" / "app.py").write_text(WORKER)
    lambent = [sys.executable, "-m", "lambent"]
    at = {"LAMBENT_ENDPOINT": platform.endpoint}
    project.run([*lambent, "deploy", "."], **at)
    sqs, sns, s3 = map(platform.client, ("sqs", "sns", "s3"))

    sqs.send_message(
        QueueUrl=sqs.get_queue_url(QueueName="triggered-jobs")["QueueUrl"], MessageBody="x"
    )
    topics = [topic["TopicArn"] for topic in sns.list_topics()["Topics"]]
    (topic,) = [arn for arn in topics if arn.endswith(":triggered-news")]
    sns.publish(TopicArn=topic, Message="x")
    s3.put_object(Bucket="triggered-files", Key="a", Body=b"x")

    def callers() -> set[str]:
        lines = log_lines(platform, "triggered-worker")
        return {line.split()[-1] for line in lines if line.startswith("called by")}

    wait_for(lambda: callers() == {"aws:sqs", "aws:sns", "aws:s3"}, "all three call")
    s3.delete_object(Bucket="triggered-files", Key="a")
    project.run([*lambent, "delete", "--stack", "triggered"], **at)
    assert project.is_gone("triggered")
