"""The spool by way of Kafka: the shipper as a producer, and the consumer that lands what it wrote.

Only here is librdkafka loaded (the extra `kafka`), and only when brokers are set.
"""
