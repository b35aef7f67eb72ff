import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Base64;
import java.util.Map;
import java.util.UUID;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.springframework.kafka.core.DefaultKafkaConsumerFactory;
import org.springframework.kafka.core.DefaultKafkaProducerFactory;
import org.springframework.kafka.listener.ContainerProperties;
import org.springframework.kafka.listener.KafkaMessageListenerContainer;
import org.springframework.kafka.requestreply.ReplyingKafkaTemplate;

/** Asks over Kafka what faces a photograph shows, and waits for the answer. */
public class AskForFaces {
  private static final Duration PATIENCE = Duration.ofSeconds(30);

  public static void main(String[] args) throws Exception {
    String servers = System.getenv().getOrDefault("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092");
    String prefix = System.getenv().getOrDefault("TOPIC_PREFIX", "face.");
    var template = template(servers, prefix + "replies");
    try {
      JsonNode result = ask(template, prefix + "requests", Files.readAllBytes(Path.of(args[0])));
      if (result.get("status").asText().equals("failed")) {
        System.out.println(result.at("/error/code").asText() + ": " + result.at("/error/message").asText());
      }
      for (JsonNode face : result.get("faces")) {
        JsonNode analysis = face.get("analysis"); // what could not be measured is null
        System.out.printf("%s, %s, %s years%n", face.get("bbox"), analysis.get("gender"), analysis.get("age"));
      }
    } finally {
      template.stop();
      template.destroy();
      template.getProducerFactory().reset();
    }
  }

  private static JsonNode ask(ReplyingKafkaTemplate<String, String, String> template, String topic, byte[] image)
      throws Exception {
    var json = new ObjectMapper();
    String id = UUID.randomUUID().toString();
    var request = Map.of(
        "id", id,
        "operation", "analyze",
        "image", Map.of("data", Base64.getEncoder().encodeToString(image))); // up to 1 MiB, else a uri
    var record = new ProducerRecord<>(topic, id, json.writeValueAsString(request));
    long deadline = System.currentTimeMillis() + PATIENCE.toMillis();
    record.headers().add("deadline", Long.toString(deadline).getBytes());
    return json.readTree(template.sendAndReceive(record).get().value());
  }

  private static ReplyingKafkaTemplate<String, String, String> template(String servers, String replies)
      throws InterruptedException {
    var producers = new DefaultKafkaProducerFactory<>(
        Map.<String, Object>of("bootstrap.servers", servers), new StringSerializer(), new StringSerializer());
    var consumers = new DefaultKafkaConsumerFactory<>(
        Map.<String, Object>of(
            "bootstrap.servers", servers,
            "group.id", "ask-for-faces-" + UUID.randomUUID(), // every caller reads all replies
            "auto.offset.reset", "latest"),
        new StringDeserializer(), new StringDeserializer());
    var container = new KafkaMessageListenerContainer<>(consumers, new ContainerProperties(replies));
    var template = new ReplyingKafkaTemplate<>(producers, container);
    template.setSharedReplyTopic(true); // others' replies lie there too
    template.setDefaultReplyTimeout(PATIENCE);
    template.start();
    template.waitForAssignment(PATIENCE);
    return template;
  }
}
