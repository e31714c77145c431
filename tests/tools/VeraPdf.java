import java.io.FileInputStream;
import java.util.Map;
import java.util.SortedSet;
import java.util.TreeSet;
import org.verapdf.gf.foundry.VeraGreenfieldFoundryProvider;
import org.verapdf.pdfa.Foundries;
import org.verapdf.pdfa.flavours.PDFAFlavour;
import org.verapdf.pdfa.results.TestAssertion;
import org.verapdf.pdfa.validation.profiles.Profiles;

/**
 * Validates files with veraPDF. Arguments: FLAVOUR=FILE, where FLAVOUR is 3a or ua1.
 * Prints "FLAVOUR pass|fail CHECKS" per file, then one line per broken rule. Exit code 0 if all pass, else 1.
 */
public final class VeraPdf {
    private static final Map<String, String> RULES = Map.of("3a", "PDFA-3A.xml", "ua1", "PDFUA-1.xml");

    private VeraPdf() {}

    public static void main(String[] arguments) throws Exception {
        VeraGreenfieldFoundryProvider.initialise();
        boolean good = arguments.length > 0;
        for (String argument : arguments) {
            int split = argument.indexOf('=');
            good &= validate(argument.substring(0, split), argument.substring(split + 1));
        }
        System.exit(good ? 0 : 1);
    }

    private static boolean validate(String flavour, String file) throws Exception {
        var rules = VeraPdf.class.getResourceAsStream("/org/verapdf/pdfa/validation/" + RULES.get(flavour));
        var profile = Profiles.profileFromXml(rules);
        var foundry = Foundries.defaultInstance();
        try (var parser = foundry.createParser(new FileInputStream(file), PDFAFlavour.fromString(flavour))) {
            var result = foundry.createValidator(profile, false).validate(parser);
            SortedSet<String> broken = new TreeSet<>();
            for (TestAssertion check : result.getTestAssertions()) {
                if (check.getStatus() == TestAssertion.Status.FAILED) {
                    var rule = check.getRuleId();
                    broken.add("  " + rule.getClause() + " test " + rule.getTestNumber() + ": " + check.getMessage());
                }
            }
            System.out.println(flavour + (result.isCompliant() ? " pass " : " fail ") + result.getTotalAssertions());
            broken.forEach(System.out::println);
            return result.isCompliant();
        }
    }
}
