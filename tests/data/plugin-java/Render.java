import java.io.File;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Properties;
import org.apache.velocity.VelocityContext;
import org.apache.velocity.app.VelocityEngine;

/**
 * Renders Velocity templates with stand-ins of what XNAT puts into the context. Arguments: folder of the
 * macros, folder of the templates, folder to write into, the value that every property answers, whether the
 * user may edit, and the templates.
 */
public class Render {
    public static class Content {
        public String getURI(String path) {
            return "/xnat" + path;
        }
    }

    public static class Item {
        private final String value;
        private final boolean editable;

        Item(String value, boolean editable) {
            this.value = value;
            this.editable = editable;
        }

        public String getStringProperty(String path) {
            return value.isEmpty() ? null : value;
        }

        public boolean canEdit(Object user) {
            return editable;
        }
    }

    public static class Utils {
        public String escapeHTML(String text) {
            return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
                .replace("\"", "&quot;").replace("'", "&#39;");
        }
    }

    public static class Page {
        public void setTitle(String title) {
        }
    }

    public static void main(String[] given) throws Exception {
        Properties settings = new Properties();
        settings.setProperty("file.resource.loader.path", given[0] + "," + given[1]);
        settings.setProperty("velocimacro.library", "macros.vm");
        settings.setProperty("runtime.references.strict", "false");
        settings.setProperty("runtime.log.logsystem.class", "org.apache.velocity.runtime.log.NullLogChute");
        settings.setProperty("input.encoding", "UTF-8");
        VelocityEngine engine = new VelocityEngine(settings);
        for (int place = 5; place < given.length; place++) {
            VelocityContext context = new VelocityContext();
            context.put("content", new Content());
            context.put("item", new Item(given[3], Boolean.parseBoolean(given[4])));
            context.put("turbineUtils", new Utils());
            context.put("page", new Page());
            context.put("user", "reader");
            StringWriter written = new StringWriter();
            engine.getTemplate(given[place]).merge(context, written);
            Path target = new File(given[2], given[place].replace('/', '+')).toPath();
            Files.write(target, written.toString().getBytes(StandardCharsets.UTF_8));
        }
    }
}
