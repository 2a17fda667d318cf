// A Kafka broker that takes everything and keeps nothing, so that a producer is all one measures.
//
//   discard [--port P] [--partitions N]
//
// Prints "BOOTSTRAP host:port" when it listens, and at SIGTERM one JSON object with what it took.
// Each connection has a thread, which pulls its requests from the socket field by field. The
// records themselves are left to the kernel to throw away; only the headers of their batches are
// looked at. Topics exist as soon as somebody asks for them.

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PRODUCE = 0, METADATA = 3, API_VERSIONS = 18, INIT_PRODUCER_ID = 22 };
enum { UNSUPPORTED_VERSION = 35 };
enum { LONGEST_STRING = 32767, MOST_TOPICS = 10000 };

// Clients look at more than they use: librdkafka wants Fetch 4 before it writes batches of version
// 2, and FindCoordinator before LZ4. Asking for them closes the connection.
static const struct { int16_t key, oldest, newest; bool served; } apis[] = {
    {PRODUCE, 0, 9, true}, {1, 0, 11, false}, {2, 0, 5, false}, {METADATA, 0, 9, true},
    {10, 0, 2, false}, {API_VERSIONS, 0, 3, true}, {INIT_PRODUCER_ID, 0, 4, true},
};
static const int apiCount = sizeof apis / sizeof *apis;

static int port = 0;
static int partitions = 1;
static _Atomic int64_t nextProducerID = 1000;
static _Atomic int64_t connections, requests, batches, records, compressed_records, bytes;

typedef struct {
    uint8_t *data;
    size_t count, capacity;
} Writer;

// One connection: what came in and is not read yet, and the answer that is being built.
typedef struct {
    int socket;
    uint8_t buffer[65536];
    size_t start, end;
    int64_t left;  // of the frame
    Writer answer;
} Reader;

static _Noreturn void giveUp(Reader *reader) {
    close(reader->socket);
    free(reader->answer.data);
    free(reader);
    pthread_exit(NULL);
}

// MARK: Reading

static void fill(Reader *reader) {
    ssize_t count;
    do count = recv(reader->socket, reader->buffer, sizeof reader->buffer, 0);
    while (count < 0 && errno == EINTR);
    if (count <= 0) giveUp(reader);
    reader->start = 0;
    reader->end = (size_t)count;
}

static void take(Reader *reader, void *into, int64_t count) {
    if (count < 0 || count > reader->left) giveUp(reader);
    reader->left -= count;
    while (count > 0) {
        if (reader->start == reader->end) fill(reader);
        size_t part = reader->end - reader->start;
        if ((int64_t)part > count) part = (size_t)count;
        if (into) {
            memcpy(into, reader->buffer + reader->start, part);
            into = (uint8_t *)into + part;
        }
        reader->start += part;
        count -= (int64_t)part;
    }
}

static void skip(Reader *reader, int64_t count) {
    int64_t buffered = (int64_t)(reader->end - reader->start);
    int64_t first = count < buffered ? count : buffered;
    take(reader, NULL, first);
    count -= first;
    if (count > reader->left) giveUp(reader);
    reader->left -= count;
    while (count > 0) {
        // MSG_TRUNC on TCP: the kernel drops the bytes and copies nothing.
        ssize_t dropped = recv(reader->socket, NULL, (size_t)count, MSG_TRUNC);
        if (dropped < 0 && errno == EINTR) continue;
        if (dropped <= 0) giveUp(reader);
        count -= dropped;
    }
}

static uint64_t number(Reader *reader, int width) {
    uint8_t raw[8];
    uint64_t value = 0;
    take(reader, raw, width);
    for (int index = 0; index < width; index++) value = value << 8 | raw[index];
    return value;
}

static int16_t int16(Reader *reader) { return (int16_t)number(reader, 2); }
static int32_t int32(Reader *reader) { return (int32_t)number(reader, 4); }

static uint32_t varint(Reader *reader) {
    uint32_t value = 0;
    for (int shift = 0; shift < 35; shift += 7) {
        uint8_t byte = (uint8_t)number(reader, 1);
        value |= (uint32_t)(byte & 0x7F) << shift;
        if (byte < 0x80) return value;
    }
    giveUp(reader);
}

// A length; -1 is null. The flexible encoding has it one higher, as a varint.
static int64_t length(Reader *reader, bool flexible, int width) {
    if (flexible) return (int64_t)varint(reader) - 1;
    return width == 2 ? int16(reader) : int32(reader);
}

// Into room for LONGEST_STRING + 1 bytes; returns the length, or -1 for null.
static int64_t string(Reader *reader, bool flexible, char *into) {
    int64_t count = length(reader, flexible, 2);
    if (count > LONGEST_STRING) giveUp(reader);
    if (count > 0) take(reader, into, count);
    return count;
}

static void skipTags(Reader *reader, bool flexible) {
    if (!flexible) return;
    for (uint32_t count = varint(reader); count > 0; count--) {
        varint(reader);
        skip(reader, varint(reader));
    }
}

// MARK: Writing

static void put(Writer *writer, const void *data, size_t count) {
    while (writer->count + count > writer->capacity) {
        writer->capacity = writer->capacity ? writer->capacity * 2 : 4096;
        writer->data = realloc(writer->data, writer->capacity);
        if (!writer->data) abort();
    }
    memcpy(writer->data + writer->count, data, count);
    writer->count += count;
}

static void putNumber(Writer *writer, int width, uint64_t value) {
    uint8_t raw[8];
    for (int index = width; index-- > 0; value >>= 8) raw[index] = (uint8_t)value;
    put(writer, raw, (size_t)width);
}

static void putVarint(Writer *writer, uint32_t value) {
    for (; value >= 0x80; value >>= 7) putNumber(writer, 1, (value & 0x7F) | 0x80);
    putNumber(writer, 1, value);
}

static void putLength(Writer *writer, bool flexible, int width, int64_t value) {
    if (flexible) putVarint(writer, (uint32_t)(value + 1));
    else putNumber(writer, width, (uint64_t)value);
}

static void putString(Writer *writer, bool flexible, const char *text, int64_t count) {
    putLength(writer, flexible, 2, count);
    if (count > 0) put(writer, text, (size_t)count);
}

static void putTags(Writer *writer, bool flexible) {
    if (flexible) putNumber(writer, 1, 0);
}

// MARK: Requests

static void answerApiVersions(Writer *answer, int16_t version, int16_t error) {
    bool flexible = version >= 3;
    putNumber(answer, 2, (uint64_t)error);
    putLength(answer, flexible, 4, apiCount);
    for (int index = 0; index < apiCount; index++) {
        putNumber(answer, 2, (uint64_t)apis[index].key);
        putNumber(answer, 2, (uint64_t)apis[index].oldest);
        putNumber(answer, 2, (uint64_t)apis[index].newest);
        putTags(answer, flexible);
    }
    if (version >= 1) putNumber(answer, 4, 0);
    putTags(answer, flexible);
}

static void answerTopic(Writer *answer, int16_t version, const char *name, int64_t count) {
    bool flexible = version >= 9;
    putNumber(answer, 2, 0);
    putString(answer, flexible, name, count);
    if (version >= 1) putNumber(answer, 1, 0);
    putLength(answer, flexible, 4, partitions);
    for (int index = 0; index < partitions; index++) {
        putNumber(answer, 2, 0);
        putNumber(answer, 4, (uint64_t)index);
        putNumber(answer, 4, 1);
        if (version >= 7) putNumber(answer, 4, 0);
        for (int list = 0; list < 2; list++) {  // replicas, and those in sync
            putLength(answer, flexible, 4, 1);
            putNumber(answer, 4, 1);
        }
        if (version >= 5) putLength(answer, flexible, 4, 0);
        putTags(answer, flexible);
    }
    if (version >= 8) putNumber(answer, 4, 0x80000000);
    putTags(answer, flexible);
}

static void answerMetadata(Reader *reader, Writer *answer, int16_t version) {
    static const char host[] = "127.0.0.1";
    bool flexible = version >= 9;
    if (version >= 3) putNumber(answer, 4, 0);
    putLength(answer, flexible, 4, 1);
    putNumber(answer, 4, 1);
    putString(answer, flexible, host, sizeof host - 1);
    putNumber(answer, 4, (uint64_t)port);
    if (version >= 1) putString(answer, flexible, NULL, -1);
    putTags(answer, flexible);
    if (version >= 2) putString(answer, flexible, "discard", 7);
    if (version >= 1) putNumber(answer, 4, 1);

    char name[LONGEST_STRING + 1];
    int64_t count = length(reader, flexible, 4);
    if (count > MOST_TOPICS) giveUp(reader);
    if (count < 0) count = 0;
    putLength(answer, flexible, 4, count);
    while (count-- > 0) {
        int64_t size = string(reader, flexible, name);
        skipTags(reader, flexible);
        answerTopic(answer, version, name, size);
    }
    if (version >= 8) putNumber(answer, 4, 0x80000000);
    putTags(answer, flexible);
}

static int32_t int32At(const uint8_t *bytes) {
    uint32_t value;
    memcpy(&value, bytes, sizeof value);
    return (int32_t)ntohl(value);
}

static void countRecords(Reader *reader, int64_t size) {
    bytes += size;
    while (size > 0) {
        // Base offset 8, length 4, leader epoch 4, magic 1, CRC 4, attributes 2, ... count 4.
        uint8_t header[61];
        if (size < (int64_t)sizeof header) giveUp(reader);
        take(reader, header, sizeof header);
        int64_t batch = 12 + (int64_t)int32At(header + 8);
        if (header[16] != 2 || batch < (int64_t)sizeof header || batch > size) giveUp(reader);
        batches++;
        records += int32At(header + 57);
        if (header[22] & 7) compressed_records += int32At(header + 57);
        skip(reader, batch - (int64_t)sizeof header);
        size -= batch;
    }
}

static void answerPartition(Reader *reader, Writer *answer, int16_t version) {
    bool flexible = version >= 9;
    putNumber(answer, 4, (uint64_t)int32(reader));
    countRecords(reader, length(reader, flexible, 4));
    skipTags(reader, flexible);
    putNumber(answer, 2, 0);
    putNumber(answer, 8, 0);  // base offset: nobody can fetch from it
    if (version >= 2) putNumber(answer, 8, UINT64_MAX);
    if (version >= 5) putNumber(answer, 8, 0);
    if (version >= 8) {
        putLength(answer, flexible, 4, 0);
        putString(answer, flexible, NULL, -1);
    }
    putTags(answer, flexible);
}

// Whether the producer wants an answer.
static bool answerProduce(Reader *reader, Writer *answer, int16_t version) {
    bool flexible = version >= 9;
    char name[LONGEST_STRING + 1];
    if (version >= 3) string(reader, flexible, name);
    int16_t acknowledgements = int16(reader);
    int32(reader);
    int64_t topics = length(reader, flexible, 4);
    putLength(answer, flexible, 4, topics);
    while (topics-- > 0) {
        int64_t size = string(reader, flexible, name);
        putString(answer, flexible, name, size);
        int64_t count = length(reader, flexible, 4);
        putLength(answer, flexible, 4, count);
        while (count-- > 0) answerPartition(reader, answer, version);
        skipTags(reader, flexible);
        putTags(answer, flexible);
    }
    skipTags(reader, flexible);
    if (version >= 1) putNumber(answer, 4, 0);
    putTags(answer, flexible);
    requests++;
    return acknowledgements != 0;
}

static void answerInitProducerID(Reader *reader, Writer *answer, int16_t version) {
    skip(reader, reader->left);
    putNumber(answer, 4, 0);
    putNumber(answer, 2, 0);
    putNumber(answer, 8, (uint64_t)nextProducerID++);
    putNumber(answer, 2, 0);
    putTags(answer, version >= 2);
}

static bool isServed(int16_t key, int16_t version) {
    for (int index = 0; index < apiCount; index++)
        if (apis[index].key == key)
            return apis[index].served && version >= apis[index].oldest
                && version <= apis[index].newest;
    return false;
}

// Reads one request and builds its answer; false when none is wanted.
static bool handle(Reader *reader, Writer *answer) {
    char client[LONGEST_STRING + 1];
    int16_t key = int16(reader), version = int16(reader);
    int32_t correlation = int32(reader);
    putNumber(answer, 4, 0);  // the size, filled in later
    putNumber(answer, 4, (uint32_t)correlation);
    if (key == API_VERSIONS) {
        bool served = isServed(key, version);
        skip(reader, reader->left);
        answerApiVersions(answer, served ? version : 0, served ? 0 : UNSUPPORTED_VERSION);
        return true;
    }
    if (!isServed(key, version)) giveUp(reader);
    bool flexible = (key == INIT_PRODUCER_ID && version >= 2) || version >= 9;
    string(reader, false, client);
    skipTags(reader, flexible);
    putTags(answer, flexible);
    if (key == PRODUCE) return answerProduce(reader, answer, version);
    if (key == METADATA) answerMetadata(reader, answer, version);
    else answerInitProducerID(reader, answer, version);
    skip(reader, reader->left);
    return true;
}

static void sendAll(Reader *reader, Writer *answer) {
    uint32_t size = htonl((uint32_t)(answer->count - 4));
    memcpy(answer->data, &size, sizeof size);
    for (size_t sent = 0; sent < answer->count;) {
        ssize_t count =
            send(reader->socket, answer->data + sent, answer->count - sent, MSG_NOSIGNAL);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) giveUp(reader);
        sent += (size_t)count;
    }
}

static void *serve(void *argument) {
    Reader *reader = argument;
    for (;;) {
        reader->left = 4;
        reader->left = int32(reader);
        reader->answer.count = 0;
        if (handle(reader, &reader->answer)) sendAll(reader, &reader->answer);
    }
    return NULL;
}

// MARK: The process

static void report(void) {
    printf("{\"connections\":%lld,\"requests\":%lld,\"batches\":%lld,\"records\":%lld,"
           "\"compressed_records\":%lld,\"bytes\":%lld}\n",
           (long long)connections, (long long)requests, (long long)batches, (long long)records,
           (long long)compressed_records, (long long)bytes);
    fflush(stdout);
}

static void *waitForSignal(void *signals) {
    int number;
    sigwait(signals, &number);
    report();
    _exit(0);
}

static int listenOn(int wanted) {
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)wanted),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    socklen_t size = sizeof address;
    if (bind(listener, (void *)&address, size) || listen(listener, 64)) {
        perror("discard: cannot listen");
        exit(69);
    }
    getsockname(listener, (void *)&address, &size);
    port = ntohs(address.sin_port);
    return listener;
}

static void welcome(int listener) {
    int one = 1, socket = accept(listener, NULL, NULL);
    if (socket < 0) return;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    Reader *reader = calloc(1, sizeof *reader);
    if (!reader) abort();
    reader->socket = socket;
    connections++;
    pthread_t thread;
    if (pthread_create(&thread, NULL, serve, reader)) abort();
    pthread_detach(thread);
}

int main(int count, char **arguments) {
    for (int index = 1; index < count; index++) {
        bool hasValue = index + 1 < count;
        if (hasValue && !strcmp(arguments[index], "--port")) port = atoi(arguments[++index]);
        else if (hasValue && !strcmp(arguments[index], "--partitions"))
            partitions = atoi(arguments[++index]);
        else {
            fprintf(stderr, "usage: discard [--port P] [--partitions N]\n");
            return 64;
        }
    }
    if (partitions < 1 || partitions > 10000) {
        fprintf(stderr, "discard: partitions must be 1 to 10000\n");
        return 64;
    }
    static sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    int listener = listenOn(port);
    pthread_t waiter;
    if (pthread_create(&waiter, NULL, waitForSignal, &signals)) abort();
    printf("BOOTSTRAP 127.0.0.1:%d\n", port);
    fflush(stdout);
    for (;;) welcome(listener);
}
