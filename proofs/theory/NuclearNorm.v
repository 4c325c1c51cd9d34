(** The nuclear norm without singular values: |A|_* is the largest <G, A> over
    ||G||_op <= 1.  An aligned G attains it, and factorisations A = U V with inner
    dimension at least rank A reach it as the minimum of (|U|^2 + |V|^2)/2. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring.
From UFM Require Import Frobenius Semidefinite CollapseIdentity.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Section NuclearNorm.
Variables (R : rcfType) (K N : nat).
Implicit Types A G : 'M[R]_(K, N).

Definition is_nuclear_norm A (t : R) : Prop :=
  (exists2 G, op_sq_le G 1 & frob G A = t) /\ forall G, op_sq_le G 1 -> frob G A <= t.

Lemma op_sq_leN G m : op_sq_le G m -> op_sq_le (- G) m.
Proof. by rewrite /op_sq_le trmxN mulNmx mulmxN opprK. Qed.
Lemma op_sq_le_scale G m a : op_sq_le G m -> op_sq_le (a *: G) (a ^+ 2 * m).
Proof.
move=> g x; rewrite op_form -scalemxAl sqFZ -mulrA -mulrBr -op_form.
by rewrite mulr_ge0 ?sqr_ge0.
Qed.

(** <G, U V> <= (|U|^2 + |V|^2)/2 *)
Lemma pairing_le_factors d (U : 'M[R]_(K, d)) (V : 'M[R]_(d, N)) G :
  op_sq_le G 1 -> frob G (U *m V) <= (sqF U + sqF V) / 2%:R.
Proof.
move=> g; have g' : op_sq_le (- G) (1 * 1) by rewrite mulr1; exact: op_sq_leN.
have := regulariser_bound ltr01 ltr01 U V g'.
rewrite frobNl subr_ge0 => h; apply: le_trans h _.
by rewrite le_eqVlt; apply/orP; left; apply/eqP; field.
Qed.

(** If G is aligned with A at mu = sqrt (lw lh), then <-G, A>/mu is the nuclear norm of
    A, and a factorisation of any inner dimension d >= rank A attains it. *)
Theorem aligned_nuclear_norm d (lw lh : R) G A : 0 < lw -> 0 < lh ->
  op_sq_le G (lw * lh) -> aligned lw lh G A -> (\rank A <= d)%N ->
  let t := - frob G A / Num.sqrt (lw * lh) in
  is_nuclear_norm A t /\
  exists (U : 'M[R]_(K, d)) (V : 'M[R]_(d, N)), A = U *m V /\ (sqF U + sqF V) / 2%:R = t.
Proof.
move=> lw0 lh0 op [sym pos GGA] rA t; pose mu := Num.sqrt (lw * lh).
have mu0 : 0 < mu by rewrite sqrtr_gt0 mulr_gt0.
have muN : mu != 0 by rewrite gt_eqF.
have mu2 : lw * lh = mu ^+ 2 by rewrite sqr_sqrtr // ltW // mulr_gt0.
pose S := - mu^-1 *: (G^T *m A).
have St : S^T = S by rewrite /S trmxZ sym.
have S0 : psd S by rewrite /S scaleNr -scalerN; apply: psdZ pos; rewrite invr_ge0 ltW.
have rS : (\rank S <= d)%N.
  by apply: leq_trans rA; apply: leq_trans (mxrank_scale _ _) (mxrankM_maxr _ _).
have [V VV] := gram_factor St S0 rS; pose U := - mu^-1 *: (G *m V^T).
have UV : A = U *m V.
  rewrite /U -scalemxAl -mulmxA VV /S -scalemxAr mulmxA GGA mu2 !scalerA.
  by rewrite -[LHS]scale1r; congr (_ *: _); field.
have tS : \tr (G^T *m A) = frob G A by rewrite mxtrace_mulC -mxtrace_tr trmx_mul trmxK frob_def mxtrace_mulC -mxtrace_tr trmx_mul trmxK mxtrace_mulC.
have nV : sqF V = t by rewrite -sqF_tr /sqF frob_def trmxK VV mxtraceZ tS /t mulrC mulNr mulrN.
have nU : sqF U = t.
  have -> : sqF U = - mu^-1 * frob (G *m V^T) U by rewrite /sqF {1}/U frobZl.
  have -> : frob (G *m V^T) U = frob G A by rewrite UV frob_mull trmxK.
  by rewrite /t mulrC mulNr mulrN.
have fac : (sqF U + sqF V) / 2%:R = t by rewrite nU nV; field.
split; last by exists U, V.
split; last by move=> G' g'; rewrite -fac UV; exact: pairing_le_factors.
exists (- mu^-1 *: G); last by rewrite frobZl /t mulrC mulrN mulNr.
have := op_sq_le_scale (- mu^-1) op; rewrite mu2.
by have -> : (- mu^-1) ^+ 2 * mu ^+ 2 = 1 by field.
Qed.
End NuclearNorm.
