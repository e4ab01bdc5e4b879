package org.nrg.xdat.om;

import java.util.Hashtable;
import org.nrg.xft.ItemI;
import org.nrg.xft.security.UserI;

/** Signature of XNAT's base class; compiled against, never packed. */
@SuppressWarnings("rawtypes")
public abstract class XnatImageassessordata {
    public XnatImageassessordata() {
    }

    public XnatImageassessordata(ItemI item) {
    }

    public XnatImageassessordata(UserI user) {
    }

    public XnatImageassessordata(Hashtable properties, UserI user) {
    }

    public abstract String getSchemaElementName();
}
