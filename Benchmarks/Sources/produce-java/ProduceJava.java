import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.producer.Callback;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * The same as {@code produce}, by Apache's own producer.
 *
 * <pre>ProduceJava BOOTSTRAP TOPIC COUNT FILE SIZE [PROPERTY=VALUE ...]</pre>
 */
public final class ProduceJava {
    private static final AtomicLong settled = new AtomicLong();

    public static void main(String[] arguments) throws Exception {
        String topic = arguments[1];
        long count = Long.parseLong(arguments[2]);
        byte[][] values = pieces(Path.of(arguments[3]), Integer.parseInt(arguments[4]));
        Properties properties = new Properties();
        properties.put("bootstrap.servers", arguments[0]);
        properties.put("key.serializer", ByteArraySerializer.class.getName());
        properties.put("value.serializer", ByteArraySerializer.class.getName());
        for (int index = 5; index < arguments.length; index++) {
            String[] parts = arguments[index].split("=", 2);
            properties.put(parts[0], parts[1]);
        }
        Callback callback = (metadata, error) -> {
            if (error != null) fail(error.toString());
            settled.incrementAndGet();
        };
        try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(properties)) {
            for (long number = 0; number < count; number++) {
                byte[] value = values[(int) (number % values.length)];
                producer.send(new ProducerRecord<>(topic, value), callback);
            }
            producer.flush();
        }
        if (settled.get() != count) fail(settled.get() + " of " + count + " were settled");
    }

    private static byte[][] pieces(Path path, int size) throws Exception {
        byte[] bytes = Files.readAllBytes(path);
        byte[][] pieces = new byte[bytes.length / size][];
        for (int index = 0; index < pieces.length; index++) {
            pieces[index] = Arrays.copyOfRange(bytes, index * size, (index + 1) * size);
        }
        return pieces;
    }

    private static void fail(String message) {
        System.err.println("ProduceJava: " + message);
        Runtime.getRuntime().halt(1);
    }
}
