package org.lethe.xnat;

/**
 * The class that META-INF/xnat/lethe-plugin.properties names. XNAT registers it as a configuration class; it
 * has nothing to configure: types, pages and entries are found by the place of their files.
 */
public class LethePlugin {
}
