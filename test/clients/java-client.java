import com.fasterxml.jackson.core.json.JsonWriteFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import javax.security.auth.callback.Callback;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.config.types.Password;
import org.apache.kafka.common.security.JaasContext;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginCallbackHandler;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerTokenCallback;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Kafka's Java client, asked what it knows: a JSON object a line in, one a line out. */
class JavaClient {
  public static void main(String[] arguments) throws Exception {
    PrintStream answers = System.out;
    // what Kafka logs is no answer
    System.setOut(System.err);
    // some of what it would leave as it is ends a line elsewhere
    ObjectMapper json = new ObjectMapper().enable(JsonWriteFeature.ESCAPE_NON_ASCII.mappedFeature());
    BufferedReader questions = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = questions.readLine(); line != null; line = questions.readLine()) {
      Object answer;
      try {
        answer = answer(json, json.readTree(line));
      } catch (Exception error) {
        Throwable cause = error.getCause() == null ? error : error.getCause();
        answer = Map.of("error", String.valueOf(cause.getMessage()));
      }
      answers.print(json.writeValueAsString(answer) + "\n");
      answers.flush();
    }
  }

  static Object answer(ObjectMapper json, JsonNode question) throws Exception {
    boolean produces = question.path("role").asText().equals("producer");
    switch (question.get("ask").asText()) {
      case "names":
        return produces ? ProducerConfig.configNames() : ConsumerConfig.configNames();
      case "construct": {
        Map<String, Object> settings = new LinkedHashMap<>();
        question.get("settings").fields().forEachRemaining(e -> settings.put(e.getKey(), e.getValue().asText()));
        if (produces)
          new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer()).close(Duration.ZERO);
        else
          new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())
              .close(Duration.ZERO);
        return Map.of();
      }
      case "load": {
        Properties properties = new Properties();
        properties.load(new ByteArrayInputStream(Base64.getDecoder().decode(question.get("file").asText())));
        // not as names: V8 reads that of {"a":1,"\t":2} as \\ when it has read {"a":1,"\\":2} before
        return properties.entrySet().stream().map(entry -> List.of(entry.getKey(), entry.getValue())).toList();
      }
      case "jaas": {
        Map<String, Object> configs = Map.of("sasl.jaas.config", new Password(question.get("value").asText()));
        List<Object> entries =
            JaasContext.loadClientContext(configs).configurationEntries().stream()
                .<Object>map(
                    entry ->
                        Map.of(
                            "module", entry.getLoginModuleName(),
                            "flag", entry.getControlFlag().toString(),
                            "options", entry.getOptions()))
                .toList();
        return entries;
      }
      case "login": {
        question.get("options").fields().forEachRemaining(e -> System.setProperty(e.getKey(), e.getValue().asText()));
        Properties file = new Properties();
        file.load(new ByteArrayInputStream(Base64.getDecoder().decode(question.get("file").asText())));
        Map<String, Object> settings = new LinkedHashMap<>();
        file.forEach((name, value) -> settings.put(String.valueOf(name), value));
        settings.put("key.serializer", ByteArraySerializer.class);
        settings.put("value.serializer", ByteArraySerializer.class);
        Map<String, ?> configs = new ProducerConfig(settings).values();
        OAuthBearerTokenCallback callback = new OAuthBearerTokenCallback();
        OAuthBearerLoginCallbackHandler handler = new OAuthBearerLoginCallbackHandler();
        try {
          handler.configure(configs, "OAUTHBEARER", JaasContext.loadClientContext(configs).configurationEntries());
          handler.handle(new Callback[] {callback});
          return Map.of("token", callback.token().value());
        } finally {
          handler.close();
          question.get("options").fieldNames().forEachRemaining(System::clearProperty);
        }
      }
      default:
        throw new IllegalArgumentException("nothing to ask");
    }
  }
}
