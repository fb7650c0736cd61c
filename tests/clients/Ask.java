import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;

/** Asks by HttpClient with its default settings: {@code java Ask.java URL COUNT ROW_FILE LONG_FILE}. */
class Ask {
    public static void main(String[] arguments) throws Exception {
        HttpClient client = HttpClient.newHttpClient();
        int count = Integer.parseInt(arguments[1]);
        int errors = 0;
        for (int number = 0; number < count; number++) {
            HttpRequest request;
            if (number % 10 < 4) {
                request = HttpRequest.newBuilder(URI.create(arguments[0] + "/api/v1/contract")).build();
            } else {
                Path body = Path.of(arguments[number % 10 < 9 ? 2 : 3]);
                request = HttpRequest.newBuilder(URI.create(arguments[0] + "/api/v1/predict"))
                        .header("Content-Type", "application/json")
                        .POST(BodyPublishers.ofFile(body))
                        .build();
            }
            String error = null;
            try {
                HttpResponse<String> response = client.send(request, BodyHandlers.ofString());
                if (response.statusCode() != 200) {
                    error = response.statusCode() + " " + response.body();
                }
            } catch (java.io.IOException failure) {
                error = failure.toString();
            }
            if (error != null && errors++ < 3) {
                System.err.println(request.method() + ": " + error);
            }
        }
        System.out.println(count + " requests, " + errors + " errors");
    }
}
