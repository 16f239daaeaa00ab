"""Runs librdkafka's mock cluster until it is killed, and prints the addresses of its brokers."""

import sys

from confluent_kafka import Producer

BROKERS = int(sys.argv[1])

host = Producer({"test.mock.num.brokers": BROKERS, "bootstrap.servers": "ignored:1"})
metadata = host.list_topics(timeout=10)
listening = [f"{broker.host}:{broker.port}" for broker in metadata.brokers.values()]
print("brokers=" + ",".join(listening), flush=True)
while True:
    host.poll(60)
