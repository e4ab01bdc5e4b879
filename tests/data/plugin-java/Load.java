import java.lang.reflect.Constructor;
import java.util.Arrays;
import java.util.TreeSet;

/** Loads the plugin's classes as XNAT does and prints what they answer; names come as arguments. */
public class Load {
    public static void main(String[] names) throws Exception {
        for (String name : names) {
            Class<?> found = Class.forName(name);
            Object made = found.getConstructor().newInstance();
            TreeSet<String> constructors = new TreeSet<>();
            for (Constructor<?> one : found.getConstructors()) {
                constructors.add(Arrays.toString(one.getParameterTypes()));
            }
            Object element = "-";
            if (constructors.size() > 1) {
                element = found.getMethod("getSchemaElementName").invoke(made);
            }
            System.out.println(name + " " + found.getSuperclass().getName() + " " + element + " " + constructors.size());
        }
    }
}
