package org.nrg.xdat.om;

import java.util.Hashtable;
import org.nrg.xft.ItemI;
import org.nrg.xft.security.UserI;

/** Signature of XNAT's base class; compiled against, never packed. */
@SuppressWarnings("rawtypes")
public abstract class XnatSubjectassessordata {
    public XnatSubjectassessordata() {
    }

    public XnatSubjectassessordata(ItemI item) {
    }

    public XnatSubjectassessordata(UserI user) {
    }

    public XnatSubjectassessordata(Hashtable properties, UserI user) {
    }

    public abstract String getSchemaElementName();
}
