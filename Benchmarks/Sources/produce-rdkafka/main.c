// The same as `produce`, by librdkafka.
//
//   produce-rdkafka BOOTSTRAP TOPIC COUNT FILE SIZE [PROPERTY=VALUE ...]
//
// The records are the pieces of SIZE bytes that FILE is cut into, over and over. librdkafka refers
// to them and copies nothing (no RD_KAFKA_MSG_F_COPY); deliveries are counted in a callback.

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static long settled;

static void __attribute__((noreturn)) fail(const char *text) {
    fprintf(stderr, "produce-rdkafka: %s\n", text);
    exit(1);
}

static void delivered(rd_kafka_t *producer, const rd_kafka_message_t *message, void *opaque) {
    (void)producer;
    (void)opaque;
    if (message->err) fail(rd_kafka_err2str(message->err));
    settled++;
}

static void set(rd_kafka_conf_t *settings, const char *name, const char *value) {
    char error[512];
    if (rd_kafka_conf_set(settings, name, value, error, sizeof error) != RD_KAFKA_CONF_OK)
        fail(error);
}

static char *contents(const char *path, size_t *length) {
    FILE *file = fopen(path, "r");
    if (!file || fseek(file, 0, SEEK_END)) fail("cannot open the file");
    *length = (size_t)ftell(file);
    rewind(file);
    char *bytes = malloc(*length);
    if (!bytes || fread(bytes, 1, *length, file) != *length) fail("cannot read the file");
    fclose(file);
    return bytes;
}

int main(int count, char **arguments) {
    if (count < 6) fail("usage: produce-rdkafka BOOTSTRAP TOPIC COUNT FILE SIZE [PROPERTY=VALUE ...]");
    long records = atol(arguments[3]);
    size_t length, size = (size_t)atol(arguments[5]);
    char *bytes = contents(arguments[4], &length);
    if (size == 0 || length < size) fail("the file is shorter than a record");
    size_t pieces = length / size;

    rd_kafka_conf_t *settings = rd_kafka_conf_new();
    set(settings, "bootstrap.servers", arguments[1]);
    for (int index = 6; index < count; index++) {
        char *value = strchr(arguments[index], '=');
        if (!value) fail("PROPERTY=VALUE");
        *value = 0;
        set(settings, arguments[index], value + 1);
    }
    rd_kafka_conf_set_dr_msg_cb(settings, delivered);
    char error[512];
    rd_kafka_t *producer = rd_kafka_new(RD_KAFKA_PRODUCER, settings, error, sizeof error);
    if (!producer) fail(error);
    rd_kafka_topic_t *topic = rd_kafka_topic_new(producer, arguments[2], NULL);
    if (!topic) fail("no topic");

    for (long number = 0; number < records;) {
        char *value = bytes + (size_t)number % pieces * size;
        int32_t any = RD_KAFKA_PARTITION_UA;
        if (rd_kafka_produce(topic, any, 0, value, size, NULL, 0, NULL) == 0) {
            // Deliveries pile up in a queue until somebody asks for them.
            if (++number % 1000 == 0) rd_kafka_poll(producer, 0);
        } else if (rd_kafka_last_error() == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
            rd_kafka_poll(producer, 100);
        } else {
            fail(rd_kafka_err2str(rd_kafka_last_error()));
        }
    }
    if (rd_kafka_flush(producer, 60000)) fail("not flushed in a minute");
    if (settled != records) fail("not all records were delivered");
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(producer);
    return 0;
}
