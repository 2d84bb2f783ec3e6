// The service of ledger.py in Java: the client delivers on threads of its own, and one more writes.
import com.rabbitmq.client.ConnectionFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.concurrent.Executors;
import java.util.regex.Pattern;

public class Ledger {
    public static void main(String[] words) throws Exception {
        var careful = "yes".equals(System.getenv("CAREFUL"));
        var folder = Path.of(System.getenv("DATA_DIR"));
        var writer = Executors.newSingleThreadExecutor();
        var factory = new ConnectionFactory();
        factory.setUri(System.getenv("AMQP_URL"));
        factory.setAutomaticRecoveryEnabled(false);
        var channel = factory.newConnection().createChannel();
        channel.queueDeclare("in", true, false, false, null);
        channel.basicQos(1);
        var id = Pattern.compile("\"id\": *\"([^\"]+)\"");
        channel.basicConsume("in", false, (tag, message) -> {
            var found = id.matcher(new String(message.getBody()));
            found.find();
            var mark = folder.resolve(found.group(1) + ".mark");
            var draft = folder.resolve(found.group(1) + ".draft");
            if (careful || !Files.exists(mark)) {
                if (!careful) Files.writeString(mark, "seen");
                try {
                    writer.submit(() -> {
                        Files.writeString(draft, "kept");
                        return Files.move(draft, folder.resolve(found.group(1) + ".kept"), StandardCopyOption.ATOMIC_MOVE);
                    }).get();
                } catch (Exception problem) {
                    throw new RuntimeException(problem);
                }
            }
            channel.basicAck(message.getEnvelope().getDeliveryTag(), false);
        }, tag -> System.exit(1));
    }
}
