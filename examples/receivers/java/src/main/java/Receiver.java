// A service that receives Gemini's events from Sluice, and verifies them with the library of Standard Webhooks.
//
//   WEBHOOK_SECRET=whsec_… PORT=3000 mvn -q compile exec:java
//
// It answers 204 to an event, and 401 to what it cannot verify.

import com.standardwebhooks.Webhook;
import com.standardwebhooks.exceptions.WebhookVerificationException;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.http.HttpHeaders;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.Executors;
import java.util.regex.Pattern;

public class Receiver {
  private static final Pattern TYPE = Pattern.compile("\"type\"\\s*:\\s*\"([^\"]*)\"");

  public static void main(String[] args) throws Exception {
    Webhook webhook = new Webhook(System.getenv("WEBHOOK_SECRET"));
    String port = System.getenv().getOrDefault("PORT", "3000");
    HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(port)), 0);
    server.setExecutor(Executors.newFixedThreadPool(8));
    server.createContext("/", exchange -> exchange.sendResponseHeaders(receive(webhook, exchange), -1));
    server.start();
    System.out.println("listening on " + server.getAddress().getPort());
  }

  private static int receive(Webhook webhook, HttpExchange exchange) throws IOException {
    // The library takes a String: a body that is not valid UTF-8 is refused. Gemini's events are JSON, which is UTF-8.
    String body = new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
    HttpHeaders headers = HttpHeaders.of(exchange.getRequestHeaders(), (name, value) -> true);
    try {
      webhook.verify(body, headers);
    } catch (WebhookVerificationException refused) {
      return 401;
    }
    var type = TYPE.matcher(body);
    // An event can arrive more than once, with the same webhook-id each time.
    System.out.println(headers.firstValue("webhook-id").orElse("") + " " + (type.find() ? type.group(1) : ""));
    return 204;
  }
}
